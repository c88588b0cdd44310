"""DISCOVER's experiments on digits: what they leave behind, and their refusals."""

import json

import discover_cifar10
import discover_digits
import discover_imagenet
import numpy as np
import pytest

from jaxpath import discover, findings, targets

KEYS = ("accuracy", "relu_accuracy", "active_share", "planted_top1", "outputs_top1", "purity")


@pytest.mark.slow
def test_competing_units_and_their_twin_are_trained_measured_and_described(start, tmp_path):
    arguments = ["--data", "digits", "--train-steps", 120, "--train-batch-size", 64, "--out", tmp_path]
    arguments += ["--epochs", "None", "--competitors", 4, "--train-learning-rate", 0.01]
    status, error = start(discover_digits, *arguments)
    assert status == 0, error
    results = json.loads((tmp_path / "results.json").read_text())
    assert results["active_share"] == pytest.approx(0.25, abs=1e-6)
    assert results["relu_active_share"] > 0.25
    assert results["planted_top1"] >= 0.99
    assert results["accuracy"] == results["accuracy_by_draws"]["6"] > 0.5 < results["relu_accuracy"]
    assert set(results["accuracy_by_draws"]) == {"0", "1", "3", "6"}
    assert results["zero_winners"] == 0
    assert results["negative_winners"] == pytest.approx(results["wrong_by_largest_value"])

    target = targets.make_target("digit_cnn_lwta4", image_size=8)
    targets.load_weights(target, tmp_path / "weights.safetensors")
    twin = targets.make_target("digit_cnn", image_size=8)
    targets.load_weights(twin, tmp_path / "twin" / "weights.safetensors")
    words = findings.load_words(tmp_path / "words.json", target.sites)
    assert set(words) == {site.name for site in target.sites}
    descriptions = json.loads((tmp_path / "descriptions.json").read_text())
    assert len(descriptions) == 20
    for one in descriptions:
        values = [value for _, value in one["units"]]
        assert len(values) == 128 // 4 and 0 not in values and values == sorted(values, reverse=True)


def colours(tmp_path, count):
    pixels = np.random.default_rng(0).integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)
    np.savez(tmp_path / "data.npz", images=pixels, labels=np.arange(count) % 10)
    return tmp_path / "data.npz"


@pytest.mark.slow
@pytest.mark.parametrize(
    ("module", "options"),
    [
        (discover_cifar10, ["--model", "resnet8"]),
        (discover_imagenet, ["--model", "deit_tiny", "--image-size", 32]),
    ],
)
def test_the_larger_networks_run_and_take_embeddings(start, tmp_path, module, options):
    path = colours(tmp_path, 40)
    train = np.load(path)
    arrays = {f"{split}_{name}": train[name] for split in ("train", "test") for name in train.files}
    np.savez(path, **arrays)
    rng = np.random.default_rng(0)
    words = discover.Embeddings(rng.normal(size=(40, 5)), rng.normal(size=(4, 5)), tuple("abcd"))
    discover.save_embeddings(words, tmp_path / "e.npz")
    arguments = ["--data", path, "--eval-split", "test", "--embeddings", tmp_path / "e.npz", *options]
    arguments += ["--epochs", 0.4, "--train-batch-size", 8, "--competitors", 4, "--out", tmp_path / "out"]
    status, error = start(module, *arguments)
    assert status == 0, error
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    assert set(KEYS) <= results.keys() and results["active_share"] == pytest.approx(0.25, abs=1e-6)
    found = json.loads((tmp_path / "out" / "words.json").read_text())
    assert {word for site in found.values() for word in site.values()} <= set("abcd")


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        (["--competitors", 3], ["16 units", "blocks of 3"]),
        (["--competitors", 1], ["--competitors is 1", "2 or more"]),
        (["--model", "vgg11"], ["vgg11_lwta4"]),
        (["--embeddings", "no.npz"], ["no.npz", "image_embeddings"]),
        (["--competition-weight", -1], ["--competition-weight is -1"]),
    ],
)
def test_a_wrong_option_is_one_sentence(start, tmp_path, changes, parts):
    status, error = start(discover_digits, "--data", "digits", "--out", tmp_path, *changes)
    lines = [line for line in error.splitlines() if line.startswith("error: ")]
    assert status == 2 and len(lines) == 1
    assert all(part in lines[0] for part in parts), lines[0]
