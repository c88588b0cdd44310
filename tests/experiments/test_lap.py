"""LAP's experiments on small canvases: what they leave behind, and their refusals."""

import json

import jax
import lap_cifar10
import lap_digits
import lap_imagenet
import numpy as np
import pytest

from jaxpath import lap, targets

KEYS = {"accuracy", "plain_accuracy", "pointing_game", "energy_in_mask", "best_explainer_energy_in_mask"}
SCORES = {"insertion_blur", "deletion_mean", "aopc_mean", "kept"}
FEW = ["--explainers", "gradcam"]
CANVASES = ["--train-canvases", 64, "--test-canvases", 16, "--epochs", 1, "--batch-size", 32]


@pytest.mark.slow
def test_digits_on_canvases_are_scored_by_every_explanation(start, tmp_path):
    arguments = [
        *CANVASES,
        *FEW,
        "--curve-images",
        0,
        "--knowledge-share",
        0.1,
        "--score-batch-size",
        2,
        "--out",
        tmp_path,
    ]
    status, error = start(lap_digits, *arguments)
    assert status == 0, error
    results = json.loads((tmp_path / "results.json").read_text())
    assert results.keys() >= KEYS and results["known_boxes"] == 6
    rows = results["explanations"]
    assert set(rows) == {
        "lap",
        "lap/product",
        "lap/lap0_pool2",
        "lap/lap1_avgpool",
        "plain/gradcam",
        "on_lap/gradcam",
    }
    assert rows["lap/product"]["energy_in_mask"] > rows["lap"]["energy_in_mask"]
    assert rows["lap/product"]["pointing_game"] == rows["lap"]["pointing_game"]
    assert all(row.keys() >= {"pointing_game", "average_precision"} for row in rows.values())
    assert results["best_explainer_energy_in_mask"] == rows["plain/gradcam"]["energy_in_mask"]
    assert 0 < results["energy_in_mask"] < 1
    assert (tmp_path / "maps.png").stat().st_size > 1000
    target = lap.extend(
        lap.canvas_net, sites=["pool2", "avgpool"], image_size=40, channels=1, alpha=2.0, gate=None
    )
    params = targets.load_weights(target, tmp_path / "lap.safetensors")
    assert params["params"]["lap0_pool2"]["theta"].shape == (10,)


@pytest.fixture
def classifier(tmp_path):
    """Weights of an untrained ResNet-8, and colour images of ten classes."""
    target = targets.resnet8()
    targets.save_weights(target, target.init(jax.random.key(0)), tmp_path / "resnet8.safetensors")
    pixels = np.random.default_rng(0).integers(0, 256, (40, 32, 32, 3), dtype=np.uint8)
    labels = np.arange(40) % 10
    arrays = {"train_images": pixels[:32], "train_labels": labels[:32]}
    np.savez(tmp_path / "data.npz", **arrays, test_images=pixels[32:], test_labels=labels[32:])
    arguments = ["--model", "resnet8", "--weights", tmp_path / "resnet8.safetensors"]
    return [*arguments, "--data", tmp_path / "data.npz", "--out", tmp_path / "out"]


@pytest.mark.slow
def test_heads_learn_and_the_classifier_stays_as_it_was(start, tmp_path, classifier):
    options = ["--head-epochs", 1, "--batch-size", 16, "--score-batch-size", 1]
    options += ["--curve-images", 8, "--curve-steps", 4]
    status, error = start(lap_cifar10, *classifier, *options, *FEW)
    assert status == 0, error
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert results.keys() >= {"accuracy", "plain_accuracy"} and "pointing_game" not in results
    assert all(row.keys() >= SCORES for row in results["explanations"].values())
    target = lap.extend(targets.resnet8)
    after = targets.load_weights(target, tmp_path / "out" / "lap.safetensors")
    before = targets.load_weights(targets.resnet8(), tmp_path / "resnet8.safetensors")
    for name in ("conv1", "linear"):
        np.testing.assert_array_equal(after["params"][name]["kernel"], before["params"][name]["kernel"])
    moved = after["params"]["lap2_avgpool"]["head"]["scores"]["bias"]
    assert np.abs(moved + 2).max() > 1e-4
    assert after["params"]["lap0_layer2"]["gate"] == -6


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        (["--eval-fraction", 2], ["--eval-fraction is 2"]),
        (["--explainers", "grad"], ["grad", "gradcam"]),
        (["--sites", "layer9"], ["layer9", "layer2, layer3, avgpool"]),
        (["--kept-share", 0], ["--kept-share"]),
    ],
)
def test_a_wrong_option_is_one_sentence(start, classifier, changes, parts):
    status, error = start(lap_imagenet, *classifier, "--eval-fraction", 0.5, *changes)
    lines = [line for line in error.splitlines() if line.startswith("error: ")]
    assert status == 2 and len(lines) == 1, error
    assert all(part in lines[0] for part in parts), lines[0]


def test_a_network_without_pools_that_attend_is_refused(start, tmp_path, classifier):
    target = targets.lenet()
    targets.save_weights(target, target.init(jax.random.key(0)), tmp_path / "lenet.safetensors")
    pixels = np.zeros((20, 28, 28, 1), np.uint8)
    np.savez(tmp_path / "grey.npz", images=pixels, labels=np.arange(20) % 10)
    arguments = ["--weights", tmp_path / "lenet.safetensors", "--data", tmp_path / "grey.npz"]
    status, error = start(lap_imagenet, "--model", "lenet", *arguments, "--out", tmp_path / "out")
    assert status == 2 and "expected a ResNet or a VGG" in error
