"""Results of a classifier that is at chance say so, in every kind of run, and those of others do not."""

import json

import jax
import numpy as np
import pytest

from jaxpath import data, flint, runs, targets
from jaxpath.runs import comparison
from jaxpath.runs.flint.evaluation import chance_warnings


@pytest.fixture(scope="module")
def untrained():
    target = targets.resnet8(image_size=8, channels=1)
    return target, target.init(jax.random.key(0))


@pytest.fixture
def few():
    return data.Subset(data.digits("test"), np.arange(60))


def results_of(out):
    return json.loads((out / "results.json").read_text())


def test_warnings_are_written_and_printed(tmp_path, capsys):
    figures = {"warnings": ["the classifier is blind"], "collapsed_sites": ["000.relu"]}
    runs.write_results(figures, run=runs.Run(tmp_path))
    first, second = results_of(tmp_path)["warnings"]
    assert first == "the classifier is blind" and second.startswith("the gates of 000.relu are the same")
    said = capsys.readouterr().out.splitlines()
    assert said[:-1] == [f"warning: {first}", f"warning: {second}"]
    runs.write_results({"fidelity": 1.0}, run=runs.Run(tmp_path))
    assert results_of(tmp_path)["warnings"] == []


def test_a_warning_is_red_on_a_terminal_with_colours(capsys, monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    runs.warn("at chance")
    assert capsys.readouterr().out == "\033[31mwarning: at chance\033[0m\n"
    monkeypatch.setenv("NO_COLOR", "1")
    runs.warn("at chance")
    assert capsys.readouterr().out == "warning: at chance\n"


def test_a_classifier_is_judged_by_images_whose_labels_it_has_not_seen(untrained, few):
    target, params = untrained
    accuracy, warnings = runs.classify(target, params, few)
    digits = data.digits("test")
    predicted = np.asarray(jax.jit(target.apply)(params, digits.images[:60]).logits).argmax(axis=1)
    right = int((predicted == digits.labels[:60]).sum())
    assert accuracy == pytest.approx(right / 60)
    (warning,) = warnings
    assert warning.startswith(f"resnet8 is no better than guessing: {right} of 60 labelled images")
    taught = data.ArraySource(digits.images[:60], predicted)
    assert runs.classify(target, params, taught) == (1.0, [])


def test_a_comparison_of_explainers_warns(untrained, few, tmp_path):
    target, params = untrained
    options = comparison.Comparison(
        data="digits",
        weights="",
        out=tmp_path,
        explainers=("random",),
        densities=(0.5,),
        timed_batches=(),
        search_images=4,
    )
    run = runs.Run(tmp_path)
    comparison.compare_explainers(runs.Net(target, params), few, options, run=run)
    (warning,) = results_of(tmp_path)["warnings"]
    assert "of 60 labelled images" in warning


def test_a_recipe_for_many_images_gives_few_as_many_passes_as_an_epoch_needs():
    few, many = (data.ArraySource(np.zeros((n, 1, 1, 1), np.uint8), np.zeros(n, int)) for n in (2500, 6000))
    assert runs.flint.stretched(flint.CIFAR10, many) == flint.CIFAR10
    stretched = runs.flint.stretched(flint.CIFAR10, few)
    assert stretched.epochs == 75 and stretched.restart == (55, 4e-5)
    assert stretched.stages == {(e - 1) * 3 + 1: stage for e, stage in flint.CIFAR10.stages.items()}


@pytest.mark.parametrize("learned", [False, True])
def test_an_interpreter_that_is_at_chance_is_told_beside_the_classifier(learned):
    labels = np.arange(80) % 10
    guessed = labels if learned else np.zeros(80, int)
    said = flint.Interpretations(np.arange(80), labels, labels, guessed, np.ones(80, bool), np.ones((80, 2)))
    warnings = chance_warnings(said, 10)
    assert len(warnings) == (not learned)
    assert all(one.startswith("the interpreter is no better than guessing: 8 of 80") for one in warnings)
