"""experiments/compare.py on digits: what it writes, and figures that must come out."""

import csv
import json

import compare
import fitting
import jax
import numpy as np
import pytest
import tables
from common import GeneratorOptions

from jaxpath import explainers, gencnp, targets


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    """Weights of an untrained ResNet-8 for digits, and two untrained generators."""
    folder = tmp_path_factory.mktemp("files")
    target = targets.resnet8(image_size=8, channels=1)
    params = target.init(jax.random.key(0))
    targets.save_weights(target, params, folder / "weights.safetensors")
    generator = fitting.make_generator(target, GeneratorOptions(width=8))
    for seed in (0, 1):
        weights = fitting.init_generator(generator, target, params, seed=seed)
        gencnp.save_generator(generator, weights, target, folder / f"{seed}.safetensors")
    return folder


@pytest.mark.slow
def test_a_comparison_is_written_with_means_over_the_runs_of_one_name(start, files, tmp_path):
    arguments = ["--data", "digits", "--eval-split", "test", "--model", "resnet8", "--out", tmp_path]
    arguments += ["--weights", files / "weights.safetensors", "--images", 24, "--search-images", 8]
    arguments += ["--generators", f"gen:{files / '0.safetensors'}", f"gen:{files / '1.safetensors'}"]
    arguments += ["--densities", 0.2, 1, "--refine-steps", 2]
    status, error = start(compare, *arguments, "--explainers", "random")
    assert status == 0, error

    results = json.loads((tmp_path / "results.json").read_text())
    rows = results["explainers"]
    assert list(rows) == ["random", "gen", "gen, refined"]
    assert [row["num_images"] for row in rows.values()] == [24, 24, 8]
    assert [row["runs"] for row in rows.values()] == [1, 2, 1]
    for name, row in rows.items():
        sparse, complete = row["curve"]
        # With every neuron open the masked network is the network.
        assert (complete["fidelity"], complete["mdc"]) == (1.0, 0.0), name
        assert sparse["fidelity_low"] <= sparse["fidelity"] <= sparse["fidelity_high"]
        assert set(row["milliseconds_per_image"]) == {"1", "64"}
    found = rows["gen"]["curve"][0]
    assert found["fidelity_runs_low"] <= found["fidelity"] <= found["fidelity_runs_high"]
    assert "natural" in rows["gen"] and "natural" not in rows["random"]

    with (tmp_path / "curves.csv").open() as file:
        lines = list(csv.DictReader(file))
    assert len(lines) == 2 * len(rows)
    assert float(lines[2]["fidelity"]) == rows["gen"]["curve"][0]["fidelity"]
    table = (tmp_path / "table.md").read_text().splitlines()
    assert [line.split("|")[1].strip() for line in table[2:5]] == list(rows)
    assert f"{rows['gen']['natural']['density']:.3f}: " in table[3]
    for row in rows.values():
        point, searched = row["curve"][0], row["curve"][0]["mdc_searched"]
        # The explainers that search saw no other images.
        assert row["num_images"] == 24 or searched == pytest.approx(point["mdc"])
    for name in ("curves.png", "times.png"):
        assert (tmp_path / name).stat().st_size > 1000


def test_runs_of_one_name_are_averaged_and_a_density_stays_what_it_was():
    def run(fidelity):
        point = {"density": 0.1, "fidelity": fidelity, "leakage": 0.5, "mdc": 0.1, "aciou": 0.3}
        point |= {"between_iou": 0.2, "random_aciou": 0.05}
        return {"name": "gen", "num_images": 4, "insertion": 0.5, "deletion": 0.1, "curve": [point]}

    rows = tables.merge(map(run, (0.5, 0.75, 1.0)))
    (point,) = rows["gen"]["curve"]
    assert (rows["gen"]["runs"], point["density"], point["fidelity"]) == (3, 0.1, 0.75)
    assert point["fidelity_runs_low"] < 0.75 < point["fidelity_runs_high"]
    assert "| 0.750 / 0.500 / 0.100 |" in tables.one_row_each(rows)


def test_the_figures_are_those_of_the_explainer_on_these_images(start, files, tmp_path):
    arguments = ["--data", "digits", "--eval-split", "test", "--model", "resnet8", "--out", tmp_path]
    arguments += ["--weights", files / "weights.safetensors", "--images", 16, "--timed-batches"]
    status, error = start(compare, *arguments, "--explainers", "taylor_signed", "--densities", 0.3)
    assert status == 0, error
    results = json.loads((tmp_path / "results.json").read_text())

    from jaxpath import data

    target = targets.resnet8(image_size=8, channels=1)
    params = targets.load_weights(target, files / "weights.safetensors")
    digits = data.digits("test")
    images = digits.images[:16]
    apply = jax.jit(target.apply)
    clean = apply(params, images).logits.argmax(axis=1)
    explain = explainers.make_explainer("taylor_signed", target, density=0.3)
    pathway = jax.jit(explain)(params, images, clean, key=jax.random.key(0))
    masked = apply(params, images, pathway.masks).logits.argmax(axis=1)
    fidelity = results["explainers"]["taylor_signed"]["curve"][0]["fidelity"]
    assert fidelity == pytest.approx(float(np.mean(clean == masked)))
