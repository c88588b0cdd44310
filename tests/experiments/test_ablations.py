"""Ablations of the generator: one switch per variant, and a table of all of them."""

import dataclasses
import json

import jax
import pytest
from random_files import write_random_images

from jaxpath import targets
from jaxpath.runs import GeneratorOptions, ObjectiveFlags, ablation, as_config


@pytest.mark.parametrize("name", ablation.SWITCHES)
def test_a_variant_differs_from_the_complete_recipe_by_its_switch_alone(name):
    complete = GeneratorOptions()
    variant = ablation.without_part(complete, ablation.SWITCHES[name])
    before, after = flat(complete), flat(variant)
    assert {key: after[key] for key in after if after[key] != before[key]} == ablation.SWITCHES[name]


def flat(options):
    """Every option by name, those of the objective among them."""
    values = dataclasses.asdict(options)
    objective = values.pop("objective")
    return {**values, **objective}


def test_a_variant_is_continued_whatever_others_are_asked_for():
    everything = ablation.AblationStudy(data="images.npz", weights="weights.safetensors")
    one = dataclasses.replace(everything, variants=("complete",), seeds=1)
    assert as_config(one) == as_config(everything)
    assert as_config(one) != as_config(dataclasses.replace(one, seed=1))


@pytest.mark.slow
def test_the_table_holds_means_over_the_seeds_and_a_second_start_trains_nothing(start, tmp_path, capsys):
    images = write_random_images(tmp_path / "images.npz", train=32, test=16)
    target = targets.resnet8()
    targets.save_weights(target, target.init(jax.random.key(0)), tmp_path / "weights.safetensors")
    arguments = ["--model", "resnet8", "--data", images]
    arguments += ["--weights", tmp_path / "weights.safetensors", "--out", tmp_path / "run"]
    arguments += ["--steps", 1, "--batch-size", 8, "--width", 8, "--seeds", 2]
    arguments += ["--variants", "complete", "no recursion"]
    status, error = start("ablations", *arguments)
    assert status == 0, error

    rows = json.loads((tmp_path / "run" / "results.json").read_text())["explainers"]
    assert {name: row["runs"] for name, row in rows.items()} == {"complete": 2, "no recursion": 2}
    head, _, *lines = (tmp_path / "run" / "ablations.md").read_text().splitlines()
    assert [line.split(" | ")[0] for line in lines] == ["| complete", "| no recursion"]
    cells = head.strip("| ").split(" | ")
    for line, row in zip(lines, rows.values(), strict=True):
        shown = dict(zip(cells, line.strip("| ").split(" | "), strict=True))
        natural = row["natural"]
        low, high = natural["density_runs_low"], natural["density_runs_high"]
        assert shown["density, own density"] == f"{natural['density']:.3f} [{low:.3f}, {high:.3f}]"
        at_half = next(point for point in row["curve"] if point["density"] == 0.5)
        assert shown["fidelity, at 0.5"].startswith(f"{at_half['fidelity']:.3f} [")

    files = sorted((tmp_path / "run").rglob("generator.safetensors"))
    assert len(files) == 4
    written = [file.stat().st_mtime_ns for file in files]
    status, error = start("ablations", *arguments)
    assert status == 0, error
    assert [file.stat().st_mtime_ns for file in files] == written


def test_a_switch_that_a_budget_does_not_know_is_refused_before_anything_is_trained(start, tmp_path):
    arguments = ["--data", "x.npz", "--weights", "w", "--out", tmp_path, "--budget", 0.5]
    status, error = start("ablations", *arguments, "--variants", "complete", "no random densities")
    assert status == 2
    assert "'no random densities': --random-density-share has no effect with --budget" in error
    assert not list(tmp_path.iterdir())


def test_all_variants_with_a_budget_are_those_that_it_knows(capsys):
    options = GeneratorOptions(objective=ObjectiveFlags(budget=0.5))
    study = ablation.AblationStudy(data="images.npz", weights="weights.safetensors", generator=options)
    assert set(ablation.SWITCHES) - set(ablation.applicable(study)) == {"no random densities"}
    assert "'no random densities': --random-density-share has no effect" in capsys.readouterr().out


def test_an_unknown_variant_is_one_sentence_with_those_that_exist(start, tmp_path):
    status, error = start(
        "ablations", "--data", "x.npz", "--weights", "w", "--variants", "no_daq", "--out", tmp_path
    )
    assert status == 2
    assert "no_daq" in error and "straight-through, no DAQ" in error
