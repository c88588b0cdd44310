"""experiments/scaling.py, and docs/scaling.md, which holds what it prints."""

import re

import pytest
import scaling
from common import GeneratorOptions
from launching import EXPERIMENTS

from jaxpath import targets

DOCUMENT = EXPERIMENTS.parent / "docs" / "scaling.md"
ROW = re.compile(r"\| (\w+) \| ([\d,]+) \| ([\d,]+) bytes \| (\d+) all-reduce \|")


def number(text):
    return int(text.replace(",", ""))


def documented():
    """The rows of docs/scaling.md: model, parameters, bytes, number of exchanges."""
    found = ROW.findall(DOCUMENT.read_text())
    return {model: tuple(map(number, figures)) for model, *figures in found}


def check(model):
    """The compiled step against the documentation, and against what a step has to send."""
    found = scaling.measure(model, scaling.Options())
    parameters, sent, exchanges = documented()[model]
    assert (found["parameters"], found["sent_bytes"]) == (parameters, sent)
    assert found["exchanges"] == f"{exchanges} all-reduce"
    scalars = (sent - 4 * parameters) / 4
    # Sums and counts of a few metrics, beside one density per site.
    assert scalars == int(scalars) and scalars <= 100


def test_a_step_sends_the_gradients_of_the_generator_and_a_few_scalars_at_once():
    check("resnet8")
    assert documented()["resnet8"][2] == 1


@pytest.mark.slow
@pytest.mark.parametrize("model", sorted(set(documented()) - {"resnet8"}))
def test_every_row_of_the_documentation_is_that_of_its_program(model):
    check(model)


def test_the_documented_parameters_are_those_of_the_generators():
    for model, (parameters, _, _) in documented().items():
        _, _, params = scaling.generator_shapes(targets.make_target(model), GeneratorOptions())
        assert scaling.num_parameters(params) == parameters
