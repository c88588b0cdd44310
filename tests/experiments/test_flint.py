"""FLINT's experiments on digits: what they leave behind, a second start, and their refusals."""

import json

import flint_mnist
import flint_posthoc
import flint_quickdraw
import jax
import numpy as np
import pytest

from jaxpath import data, flint, targets

KEYS = ["target_accuracy", "interpreter_accuracy", "fidelity", "flagged_share", "dead_attributes"]
KEYS += [f"cns_{tau}" for tau in ("1.5", "2", "2.5", "3", "4", "5")]
FIGURES = ["attributes.png", "local_relevance.png", "global_relevance.png", "conciseness.png"]
FIGURES += ["attribute_pathways.png"]
DIGITS = ["--data", "digits", "--batch-size", 64, "--learning-rate", 0.005, "--relevance-images", 256]


def results_of(out):
    results = json.loads((out / "results.json").read_text())
    assert set(KEYS) <= results.keys()
    for name in ("interpreter.safetensors", "attributes.npz", "metrics.jsonl"):
        assert (out / name).stat().st_size > 0, name
    return results


@pytest.mark.slow
def test_flint_learns_digits_and_leaves_files_that_repeat_its_figures(start, tmp_path):
    arguments = [*DIGITS, "--epochs", 7, "--out", tmp_path]
    status, error = start(flint_mnist, *arguments, "--maximised-pairs", 1)
    assert status == 0, error
    results = results_of(tmp_path)
    for name in FIGURES:
        assert (tmp_path / name).stat().st_size > 1000, name
    assert results["target_accuracy"] > 0.9
    assert results["interpreter_accuracy"] > 0.85
    assert results["fidelity"] > 0.85 and results["flagged_share"] == pytest.approx(1 - results["fidelity"])
    assert 1 <= results["cns_1.5"] <= results["cns_5"] < 6

    target = targets.lenet(image_size=8)
    params = targets.load_weights(target, tmp_path / "weights.safetensors")
    interpreter, own = flint.load_interpreter(tmp_path / "interpreter.safetensors", target)
    test = data.digits("test")
    seen = jax.jit(target.apply)(params, test.images)
    output = jax.jit(interpreter.apply)(own, seen.features)
    agree = seen.logits.argmax(axis=1) == output.logits.argmax(axis=1)
    assert results["fidelity"] == pytest.approx(float(agree.mean()), abs=0.006)

    strongest = output.attributes[:4].argmax(axis=1)
    images = test.images[:4] / np.float32(255)
    options = flint.MNIST_MAXIMISATION._replace(rounds=1)
    raised = flint.maximise_attributes(target, interpreter, params, own, images, strongest, options)

    def phi(images):
        return interpreter.apply(own, target.apply(params, images).features).attributes[
            np.arange(4), strongest
        ]

    assert (phi(raised) > phi(options.dim * images)).all()

    status, error = start(flint_mnist, *arguments, "--maximised-pairs", 0)
    assert status == 0 and "continues after step" in error
    again = results_of(tmp_path)
    assert {name: again[name] for name in KEYS} == {name: results[name] for name in KEYS}


@pytest.fixture
def trained_classifier(tmp_path):
    """Weights of an untrained ResNet-8 and colour images of ten classes."""
    target = targets.resnet8()
    targets.save_weights(target, target.init(jax.random.key(0)), tmp_path / "resnet8.safetensors")
    pixels = np.random.default_rng(0).integers(0, 256, (40, 32, 32, 3), dtype=np.uint8)
    np.savez(tmp_path / "data.npz", images=pixels, labels=np.arange(40) % 10)
    arguments = ["--model", "resnet8", "--weights", tmp_path / "resnet8.safetensors"]
    return [*arguments, "--data", tmp_path / "data.npz", "--batch-size", 16, "--out", tmp_path / "out"]


def test_attributes_of_a_frozen_classifier_are_scored_on_the_share_that_was_held_out(
    start, tmp_path, trained_classifier
):
    status, error = start(
        flint_posthoc, *trained_classifier, "--epochs", 2, "--attributes", 5, "--maximised-pairs", 0
    )
    assert status == 0, error
    results = results_of(tmp_path / "out")
    assert (results["num_images"], results["num_attributes"]) == (8, 5)
    interpreter, _ = flint.load_interpreter(tmp_path / "out" / "interpreter.safetensors", targets.resnet8())
    assert [site.name for site in interpreter.sites] == ["004.layer2.0.relu2", "006.layer3.0.relu2"]


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        (["--sites", "nowhere"], ["nowhere", "feature maps of resnet8"]),
        (["--eval-fraction", 2], ["--eval-fraction is 2", "between 0 and 1"]),
        (["--attributes", 0], ["--attributes is 0", "1 or more"]),
        (["--entropy-weight", -1], ["--entropy-weight is -1"]),
    ],
)
def test_a_wrong_option_is_one_sentence(start, trained_classifier, changes, parts):
    status, error = start(flint_posthoc, *trained_classifier, *changes)
    lines = [line for line in error.splitlines() if line.startswith("error: ")]
    assert status == 2 and len(lines) == 1
    assert all(part in lines[0] for part in parts), lines[0]


def test_quickdraw_without_its_files_says_which_is_missing(start, tmp_path):
    status, error = start(flint_quickdraw, "--data", tmp_path, "--out", tmp_path / "out")
    assert status == 2 and "ant.npy" in error


@pytest.mark.slow
@pytest.mark.parametrize("name", ["flint_cifar10", "flint_quickdraw"])
def test_the_residual_networks_run_on_digits(run, tmp_path, name):
    status, error = run(name, *DIGITS, "--epochs", 0.1, "--maximised-pairs", 0, "--out", tmp_path)
    assert status == 0, error
    results_of(tmp_path)
