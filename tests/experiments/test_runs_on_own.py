"""Experiments with a classifier of the user's own, named as package.module:function."""

import json

import numpy as np
import pytest
from foreign_models import own_cnn

from jaxpath import runs
from jaxpath.runs import sanity

OWN = "foreign_models:own_cnn"
"""Pictures of 10 x 9 pixels in grey, three classes."""


@pytest.fixture(scope="module")
def images(tmp_path_factory):
    """Sixteen random pictures to learn from and sixteen to score, of the size that the classifier takes."""
    random = np.random.default_rng(0)
    splits = {
        f"{split}_{name}": values
        for split in ("train", "test")
        for name, values in {
            "images": random.integers(0, 256, (16, 10, 9, 1), dtype=np.uint8),
            "labels": np.arange(16) % 3,
        }.items()
    }
    path = tmp_path_factory.mktemp("data") / "images.npz"
    np.savez(path, **splits)
    return path


@pytest.mark.slow
def test_a_generator_is_trained_compared_and_put_to_the_sanity_check(start, images, tmp_path):
    common = ["--target", OWN, "--data", images, "--eval-split", "test", "--batch-size", 8]
    learn = ["--steps", 1, "--width", 8]
    status, error = start("imagenet", *common, *learn, "--out", tmp_path / "run")
    assert status == 0, error
    trained = tmp_path / "run" / runs.GENERATOR
    named = json.loads((tmp_path / "run" / "results.json").read_text())["density_per_site"]
    assert list(named) == [site.name for site in own_cnn()[0].sites]

    status, error = start(
        *("compare", *common[:6], "--generators", f"gen:{trained}", "--explainers", "random"),
        *("--densities", 1, "--ablation", "zero", "--out", tmp_path / "compared"),
    )
    assert status == 0, error
    rows = json.loads((tmp_path / "compared" / "results.json").read_text())["explainers"]
    # With everything open the network is what it was.
    assert [rows[name]["curve"][0]["fidelity"] for name in ("random", "gen")] == [1.0, 1.0]

    asked = ["--trained", trained, "--explainers", "taylor", "--images", 8, "--densities", 1]
    # Its init returns the trained parameters: arrays are shuffled.
    status, error = start(
        *("sanity", *common, *learn, *asked, "--reinitialise", "permute", "--out", tmp_path / "sanity")
    )
    assert status == 0, error
    results = json.loads((tmp_path / "sanity" / "results.json").read_text())
    stages = results["cascade"]["taylor"]
    assert stages[-1]["share"] == 1.0 and stages[-1]["iou"] < 1
    assert list(results["random_target"]) == [sanity.TRAINED, sanity.UNTRAINED]


@pytest.mark.parametrize(
    ("script", "options", "why"),
    [
        (
            "lap_imagenet",
            ["--weights", "resnet18.safetensors"],
            "attention replaces the poolings of the library's own networks; leave it out and give --model",
        ),
        (
            "compare_architectures",
            ["--models", "resnet8", "resnet8"],
            "architectures are compared by the names of the library's own; leave it out and give --model",
        ),
    ],
)
def test_what_needs_the_librarys_own_networks_says_so(start, images, tmp_path, script, options, why):
    status, error = start(
        script, *options, "--target", OWN, "--data", images, "--eval-split", "test", "--out", tmp_path
    )
    assert status == 2 and "Traceback" not in error
    assert [line for line in error.splitlines() if line] == [f"error: --target {OWN} was given, but {why}"]
