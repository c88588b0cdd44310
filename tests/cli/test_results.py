"""What the commands leave for programs, and questions of a class."""

import csv
import json

import jax
import numpy as np
import pytest

from jaxpath import data, explainers, targets
from jaxpath.findings import SCHEMA_VERSION, VERDICTS
from jaxpath.pathways import flatten

CONTROLS = ("alone", "closed", "random_alone", "random_closed", "other_pictures", "blank_pictures")


@pytest.fixture(scope="module")
def common(weights):
    return ["--weights", weights]


def results_of(out):
    return json.loads((out / "results.json").read_text())


def rows_of(out):
    with (out / "pictures.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def check_pictures(pictures, ablations=("zero", "mean")):
    for row in pictures:
        assert row["verdict"] in VERDICTS and isinstance(row["weak"], bool)
        assert 0 <= row["probability"] <= 1 and 0 < row["density"] < 1
        for ablation in ablations:
            assert row[ablation].keys() >= set(CONTROLS)
            assert 0 <= row[ablation]["random_closed_low"] <= row[ablation]["random_closed_high"] <= 1


def test_explain_leaves_a_row_for_every_picture_under_both_ablations(run, common, pictures, tmp_path):
    out = tmp_path / "out"
    limits = ["--fail-if", "density>0.5", "mean.alone>1"]
    status, output, error = run("explain", pictures, *common, "--details", 2, "--out", out, *limits)
    assert status == 0, error
    results = results_of(out)
    assert results["schema_version"] == SCHEMA_VERSION and results["ablations"] == ["zero", "mean"]
    assert "5 explained pictures and 32 drawn ones" in results["mean_of"]
    check_pictures(results["pictures"])
    assert [row["file"] for row in results["pictures"]] == [row["file"] for row in rows_of(out)]
    assert len(results["pictures"]) == 5
    # The page, the terminal and the file say the same.
    page = (out / "report.html").read_text()
    for row in results["pictures"]:
        assert f"{row['file']}: {row['sentence']}" in output
    assert page.count("<article") == 2 and "5 explained pictures and 32 drawn ones" in page
    first = rows_of(out)[0]
    assert float(first["zero.alone"]) == pytest.approx(results["pictures"][0]["zero"]["alone"])
    assert results["summary"]["zero"]["alone"] == pytest.approx(
        np.mean([row["zero"]["alone"] for row in results["pictures"]])
    )
    assert not (out / "unfinished").exists()

    # A figure beyond its limit: all is left, and the status tells.
    status, _, error = run("explain", pictures, *common, "--out", out, "--fail-if", "density>0.1")
    assert status == 3 and "density is 0.2" in error and (out / "results.json").exists()


def test_a_figure_that_was_not_measured_or_does_not_exist_is_told(run, common, pictures, tmp_path):
    command = ("explain", pictures / "b.png", *common, "--ablation", "zero", "--out", tmp_path)
    status, _, error = run(*command, "--fail-if", "leakage>0.5")
    assert status == 2 and "'leakage', which was not measured here" in error
    status, _, error = run(*command, "--fail-if", "leeks>0.5")
    assert status == 2 and "'leeks', which is no figure" in error and "blank_acceptance" in error


def test_any_class_can_be_asked_for_and_rather_than_another(run, common, pictures, tmp_path, weights):
    target = targets.resnet8(image_size=8, channels=1)
    params = targets.load_weights(target, weights)
    image = data.digits("test").images[1:2]
    predicted = int(jax.jit(target.apply)(params, image).logits.argmax())
    asked, other = [c for c in range(10) if c != predicted][1:3]
    names = tmp_path / "names.json"
    names.write_text(json.dumps([f"digit {c}, number {c}" for c in range(10)]))
    command = ("explain", pictures / "b.png", *common, "--class-names", names, "--ablation", "zero")
    question = ("--class", f"digit {asked}", "--against", f"number {other}")
    status, output, error = run(*command, *question, "--out", tmp_path / "out")
    assert status == 0, error
    (row,) = results_of(tmp_path / "out")["pictures"]
    assert (row["predicted"], row["class"], row["against"]) == (predicted, asked, other)
    assert row["class_name"] == f"digit {asked}, number {asked}"
    assert f"“digit {asked}, number {asked}” rather than “digit {other}, number {other}”" in output
    explain = explainers.make_rival(
        target, lambda t: explainers.make_explainer("taylor_signed", t, density=0.2), against=other
    )
    pathway = jax.jit(explain)(params, image, np.array([asked]), key=jax.random.key(0))
    with np.load(tmp_path / "out" / "pathway.npz") as arrays:
        np.testing.assert_array_equal(arrays["masks"], np.asarray(flatten(pathway.masks, target.sites)) > 0)
        z = arrays["logits"][0].astype(float)
    assert row["class_probability"] == pytest.approx(1 / (1 + np.exp(z[other] - z[asked])), abs=1e-4)

    status, _, error = run(*command, "--against", str(predicted), "--out", tmp_path / "out2")
    assert status == 2 and "which is what the classifier says of" in error and "--class" in error


@pytest.mark.parametrize("command", ["dataset-report", "class-pathway"])
def test_the_other_commands_leave_results_too(run, common, pictures, many, tmp_path, command):
    more = ["--controls", 6] if command == "dataset-report" else ["--apply", pictures]
    arguments = ["--data", many, *common, "--out", tmp_path, *more, "--fail-if", "density>0.5"]
    status, output, error = run(command, *arguments)
    assert status == 0, error
    results, rows = results_of(tmp_path), rows_of(tmp_path)
    assert results["schema_version"] == SCHEMA_VERSION
    check_pictures(results["pictures"])
    if command == "dataset-report":
        assert len(results["pictures"]) == 6 and len(rows) == 40
        assert sum(bool(row["verdict"]) for row in rows) == 6 and all(row["zero.alone"] for row in rows)
        assert results["summary"]["mean"].keys() >= {"fidelity", "leakage", "selectivity", "random_closed"}
        assert "Of 6 pathways that were put to the test" in output
        assert "What closed channels hold" in (tmp_path / "data_set.html").read_text()
    else:
        known = [row for row in results["pictures"] if "class_pathway" in row]
        assert len(rows) == 5 and known and known[0]["class_pathway"]["verdict"] in VERDICTS
        assert results["summary"]["transfer"].keys() == {"class", "random", "other"}


def test_pathways_of_classes_that_meet_their_own_pictures_are_told(run, common, pictures, tmp_path):
    folder = tmp_path / "loose"
    folder.mkdir()
    for name in ("b.png", "c.png"):
        (folder / name).write_bytes((pictures / name).read_bytes())
    arguments = ["--data", folder, *common, "--ablation", "zero", "--out", tmp_path]
    status, output, error = run("class-pathway", *arguments, "--apply", folder / "b.png")
    assert status == 0, error
    assert "1 of the 1 pictures of --apply are among those" in output
    assert len(results_of(tmp_path)["warnings"]) == 1
