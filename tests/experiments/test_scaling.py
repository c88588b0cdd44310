"""What a compiled step sends and keeps, and docs/scaling.md, which holds what is printed of it."""

import re
from pathlib import Path

import pytest

from jaxpath import targets
from jaxpath.runs import GeneratorOptions, scaling

DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "scaling.md"
ROW = re.compile(r"\| (\w+) \| ([\d,]+) \| ([\d,]+) bytes \| (\d+) all-reduce \|")


def number(text):
    return int(text.replace(",", ""))


def documented():
    """The rows of docs/scaling.md: model, parameters, bytes, number of exchanges."""
    rows = ROW.findall(DOCUMENT.read_text())
    return {model: tuple(map(number, figures)) for model, *figures in rows}


def check(model):
    """The compiled step against the documentation, and against what a step has to send."""
    cost = scaling.measure_step(model, scaling.Scaling())
    parameters, sent, exchanges = documented()[model]
    assert (cost.parameters, cost.sent_bytes) == (parameters, sent)
    assert cost.exchanges == f"{exchanges} all-reduce"
    scalars = (sent - 4 * parameters) / 4
    # Sums and counts of a few metrics, beside one density per site.
    assert scalars == int(scalars) and scalars <= 100


@pytest.mark.slow
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


def test_a_row_is_written_as_the_documentation_has_it():
    cost = scaling.StepCost("resnet8", 1234567, 4938300, "1 all-reduce", 2.5e7, 1.25e6, 1e9, 3.0)
    assert cost.as_row() == "| resnet8 | 1,234,567 | 4,938,300 bytes | 1 all-reduce | 25 MB | 1.2 MB |"
    assert ROW.match(cost.as_row())
