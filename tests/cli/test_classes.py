"""The classes of data and classifier: compared by name in every command, mapped where that is certain."""

import json

import numpy as np
import pytest
from PIL import Image

from jaxpath import data

WORDS = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
"""Names of the digits; sorted as text they are in another order."""


@pytest.fixture
def common(weights):
    return ["--weights", weights, "--image-size", 8]


@pytest.fixture
def names(tmp_path):
    path = tmp_path / "names.json"
    path.write_text(json.dumps(WORDS), encoding="utf-8-sig")
    return ["--class-names", path]


def write_digits(path, names, *, each=2):
    """``each`` pictures of every digit with a name, in a folder of that name."""
    digits = data.digits("train")
    for label, name in names.items():
        (path / name).mkdir(parents=True)
        for place in np.flatnonzero(digits.labels == label)[:each]:
            Image.fromarray(digits.images[place, :, :, 0]).save(path / name / f"{place}.png")
    return path


def save_npz(path, labels, **more):
    np.savez(path, images=data.digits("train").images[: len(labels)], labels=labels, **more)
    return path


def commands(out, pictures):
    """Every command that is given labelled data, but for what all have."""
    return {
        "dissect": ["dissect", "--data", pictures, "--sites", "000.relu", "--top-k", 2, "--out", out],
        "dataset-report": ["dataset-report", "--data", pictures, "--out", out],
        "class-pathway": ["class-pathway", "--data", pictures, "--out", out],
        "apply": [
            "class-pathway",
            "--data",
            "digits",
            "--images",
            10,
            "--apply",
            f"folder:{pictures}",
            "--out",
            out,
        ],
        "explain": ["explain", "IMAGE", "--reference", pictures, "--out", out],
        "train-on": ["explain", "IMAGE", "--train-on", pictures, "--train-steps", 1, "--out", out],
    }


COMMANDS = tuple(commands(None, None))


@pytest.fixture
def start(run, common, pictures, tmp_path):
    def command(name, given, *more):
        arguments = commands(tmp_path / "out", given)[name]
        return run(*[pictures / "b.png" if word == "IMAGE" else word for word in arguments], *common, *more)

    return command


def one_sentence(result, *parts):
    status, _, error = result
    lines = [line for line in error.splitlines() if line.startswith("error: ")]
    assert status == 2 and len(lines) == 1 and "Traceback" not in error, error
    assert all(part in lines[0] for part in parts), lines[0]


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "train-on"])
def test_fewer_folders_than_classes_are_refused_where_nothing_tells_which_they_are(start, tmp_path, name):
    given = write_digits(tmp_path / "some", dict(enumerate(WORDS[:5])))
    one_sentence(start(name, given), "5 class folders and the target 10 classes", "wnids.json")


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "train-on"])
def test_other_class_names_than_the_classifiers_are_refused(start, names, tmp_path, name):
    folders = dict(enumerate(WORDS)) | {3: "frog"}
    one_sentence(
        start(name, write_digits(tmp_path / "other", folders), *names), '"frog"', "of the classifier"
    )


def test_labels_are_mapped_by_name_to_those_of_the_classifier(start, names, tmp_path):
    """Sorted as text, eight is the first class: its rank is no class of the classifier."""
    given = write_digits(tmp_path / "some", {8: "eight", 1: "one", 3: "three"})
    status, _, error = start("dataset-report", given, *names)
    assert status == 0, error
    with np.load(tmp_path / "out" / "pathways.npz") as arrays:
        assert arrays["labels"].tolist() == [8, 8, 1, 1, 3, 3]


def test_new_pictures_of_other_classes_than_those_learned_from_are_refused(run, common, tmp_path):
    learned = write_digits(tmp_path / "learned", dict(enumerate(WORDS)), each=1)
    new = write_digits(tmp_path / "new", dict(enumerate(WORDS)) | {3: "frog"}, each=1)
    arguments = ["class-pathway", "--data", learned, "--apply", f"folder:{new}", *common]
    one_sentence(run(*arguments, "--out", tmp_path / "out"), '"frog"', "of --data")


def test_class_pathways_in_another_order_of_the_classes_are_refused(run, common, names, pictures, tmp_path):
    given = save_npz(tmp_path / "a.npz", data.digits("train").labels[:20], class_names=WORDS[::-1])
    status, _, error = run("class-pathway", "--data", given, *common, "--out", tmp_path / "learned")
    assert status == 0, error
    file = tmp_path / "learned" / "class_pathways.npz"
    arguments = ["explain", pictures / "b.png", *common, *names, "--class-pathways", file]
    one_sentence(run(*arguments, "--out", tmp_path / "out"), "in another order")


@pytest.mark.parametrize("name", ["dissect", "dataset-report"])
def test_hidden_labels_are_refused_where_labels_are_needed(start, tmp_path, name):
    given = save_npz(tmp_path / "hidden.npz", np.full(12, -1))
    one_sentence(start(name, given), "has the label -1", "take labelled data")


@pytest.mark.parametrize("name", ["class-pathway", "explain"])
def test_hidden_labels_pass_where_none_is_needed(start, tmp_path, name):
    status, _, error = start(name, save_npz(tmp_path / "hidden.npz", np.full(12, -1)))
    assert status == 0, error


@pytest.mark.slow
def test_a_generator_of_pictures_without_labels_has_no_accuracy(start, tmp_path):
    status, output, error = start("train-on", save_npz(tmp_path / "hidden.npz", np.full(40, -1)))
    assert status == 0, error
    results = json.loads((tmp_path / "out" / "generator" / "results.json").read_text())
    assert "fidelity" in results and "target_accuracy" not in results and "accuracy" not in results
    assert "target_accuracy" not in output


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "apply"])
@pytest.mark.parametrize(("label", "part"), [(-2, "is -2"), (10, "has the label 10")])
def test_labels_that_are_no_classes_are_refused(start, tmp_path, name, label, part):
    labels = np.arange(20) % 10
    labels[7] = label
    given = save_npz(tmp_path / "wrong.npz", labels)
    one_sentence(start(name, given), part, "example 7")


def test_a_stray_picture_beside_class_folders_is_said_and_leaves_them_what_they_are(start, tmp_path):
    given = write_digits(tmp_path / "all", dict(enumerate(WORDS)))
    Image.new("L", (8, 8)).save(given / "overview.png")
    status, _, error = start("class-pathway", given)
    assert status == 0, error
    assert "pictures beside the class folders (1, such as overview.png)" in error
    manifest = json.loads((tmp_path / "out" / "manifest.json").read_text())
    assert manifest["images"] == 20
    assert manifest["left_out_files"] == [
        {"what": "pictures beside the class folders", "number": 1, "example": "overview.png"}
    ]
