"""The sanity checks on small data: both tests, their results and the figure."""

import json

import jax
import pytest
from figure_files import series_in
from random_files import write_random_images

from jaxpath import gencnp, runs, targets
from jaxpath.runs import sanity


@pytest.fixture(scope="module")
def arguments(tmp_path_factory):
    """A random ResNet-8, random images, and an untrained generator."""
    folder = tmp_path_factory.mktemp("files")
    images = write_random_images(folder / "images.npz", train=16, test=16)
    target = targets.resnet8()
    params = target.init(jax.random.key(5))
    targets.save_weights(target, params, folder / "weights.safetensors")
    generator = runs.make_generator(target, runs.GeneratorOptions(width=8))
    weights = runs.init_generator(generator, target, params, seed=0)
    path = folder / "generator.safetensors"
    gencnp.save_generator(generator, weights, target, path, target_params=params)
    values = ["--model", "resnet8", "--data", images, "--batch-size", 8, "--width", 8]
    values += ["--weights", folder / "weights.safetensors", "--trained", folder / "generator.safetensors"]
    return [*values, "--steps", 1, "--images", 8, "--densities", 0.3, 1]


@pytest.mark.slow
def test_both_tests_leave_their_figures(start, arguments, tmp_path):
    status, error = start("sanity", *arguments, "--explainers", "random", "taylor", "--out", tmp_path)
    assert status == 0, error
    results = json.loads((tmp_path / "results.json").read_text())
    assert list(results["cascade"]) == ["random", "taylor", sanity.TRAINED]
    stages = results["cascade"]["taylor"]
    assert stages[0]["stage"] == "logits" and stages[-1]["share"] == 1.0
    # What draws without looking stays as it was; what looks does not.
    assert all(row["iou"] == 1.0 for row in results["cascade"]["random"])
    assert stages[-1]["iou"] < 0.7
    assert list(results["random_target"]) == [sanity.TRAINED, sanity.UNTRAINED]
    for curve in results["random_target"].values():
        assert [point["density"] for point in curve] == [0.3, 1.0]
        assert (curve[1]["fidelity"], curve[1]["mdc"]) == (1.0, 0.0)
    assert series_in(tmp_path / "cascade.png") == [0, 1, 2]


def test_an_unknown_explainer_is_one_sentence_before_anything_is_trained(start, arguments, tmp_path):
    status, error = start("sanity", *arguments, "--explainers", "saliency", "--out", tmp_path / "out")
    assert status == 2 and "'saliency'" in error and "taylor_signed" in error
    assert not any((tmp_path / "out").iterdir())
