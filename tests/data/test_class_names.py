"""Names and order of classes: numbers as folders, joined and paired data, a classifier's names."""

import json

import numpy as np
import pytest
from PIL import Image

from jaxpath.data import (
    ArraySource,
    Known,
    Subset,
    align,
    concatenate,
    decode,
    fit_classes,
    folder,
    match_classes,
    tar,
)
from jaxpath.types import InputError


def make_folder(path, names):
    """One picture per class folder; its red value is the place of its name in ``names``."""
    for place, name in enumerate(names):
        (path / name).mkdir(parents=True)
        Image.new("RGB", (2, 2), (place, 0, 0)).save(path / name / "a.png")
    return path


def reds(source):
    """(Red value, label) of every picture."""
    return [(int(decode(source[i]["image"])[0, 0, 0]), int(source[i]["label"])) for i in range(len(source))]


def arrays(labels, names=None):
    return ArraySource(np.zeros((len(labels), 2, 2), np.uint8), np.array(labels), class_names=names)


NUMBERS = {
    "1 to 10": [str(number) for number in range(1, 11)],
    "0 to 11": [str(number) for number in range(12)],
    "zeros in front": [f"{number:03d}" for number in range(12)],
    "mixed": ["0", "01", "2", "03", "10", "0011"],
    "gaps": ["0", "1", "3", "20", "100"],
}


@pytest.mark.parametrize("names", NUMBERS.values(), ids=NUMBERS)
@pytest.mark.parametrize("kind", ["folder", "tar"])
def test_numbers_are_sorted_as_numbers(tmp_path, names, kind):
    import tarfile

    root = make_folder(tmp_path / "images", names)
    if kind == "tar":
        with tarfile.open(tmp_path / "a.tar", "w") as archive:
            archive.add(root, arcname="images")
    source = folder(root) if kind == "folder" else tar(tmp_path / "a.tar")
    assert source.class_names == tuple(names) and source.labels_are_ranks
    assert reds(source) == [(place, place) for place in range(len(names))]


def test_numbers_with_gaps_are_no_labels_of_a_larger_target(tmp_path):
    source = folder(make_folder(tmp_path / "images", ["0", "1", "3"]))
    with pytest.raises(InputError, match=r"3 class folders and the target 10 classes.*wnids.json"):
        fit_classes(source, 10)
    # With names the place of each is certain.
    fitted = fit_classes(source, 10, Known(tuple(map(str, range(10))), "the classifier"))
    assert reds(fitted) == [(0, 0), (1, 1), (2, 3)] and fitted.labels.tolist() == [0, 1, 3]


def test_one_number_twice_is_refused_without_a_list(tmp_path):
    root = make_folder(tmp_path / "images", ["1", "01", "2"])
    with pytest.raises(InputError, match=r'"01" and "1".*the same number.*wnids.json'):
        folder(root)
    (root / "wnids.json").write_text(json.dumps(["2", "1", "01"]))
    assert reds(folder(root)) == [(1, 2), (0, 1), (2, 0)]


def test_that_numbers_are_not_sorted_as_text_is_said(tmp_path):
    assert '"2" before "10"' in folder(make_folder(tmp_path / "a", ["1", "2", "10"])).remark
    assert folder(make_folder(tmp_path / "b", ["1", "2", "3"])).remark == ""


@pytest.mark.parametrize(
    ("lists", "message"),
    [
        ({"wnids.json": ["ant", "bee", "ant"]}, r'lists "ant" twice'),
        ({"wnids.json": ["ant", "bee"], "class_names.json": ["Ant"]}, r"2 class folders.*has 1 names"),
        ({"wnids.json": {"ant": 0}}, "does not hold a JSON list of names"),
    ],
)
def test_a_list_that_contradicts_itself_is_refused(tmp_path, lists, message):
    root = make_folder(tmp_path / "images", ["ant", "bee"])
    for name, values in lists.items():
        (root / name).write_text(json.dumps(values))
    with pytest.raises(InputError, match=message):
        folder(root)


def test_the_same_names_in_another_order_are_mapped():
    source = arrays([0, 1, 2, 0], ["emu", "Cat_fish", "dog"])
    fitted = match_classes(source, Known(("cat fish", "dog", "emu"), "the classifier"))
    assert fitted.labels.tolist() == [2, 0, 1, 2] and fitted.class_names == ("cat fish", "dog", "emu")
    assert [int(fitted[i]["label"]) for i in range(4)] == [2, 0, 1, 2]
    assert Subset(fitted, [3, 1]).labels.tolist() == [2, 0]


def test_agreeing_names_change_nothing():
    source = arrays([0, 1], ["tench", "goldfish"])
    assert match_classes(source, Known(("tench, Tinca tinca", "goldfish, Carassius auratus"), "it")) is source


@pytest.mark.parametrize(
    ("names", "own"),
    [(["cat", "dog"], ["cat", "cow"]), (["cat", "dog"], ["ship", "frog"]), (["1", "2"], ["0", "1"])],
)
def test_other_names_are_refused(names, own):
    with pytest.raises(InputError, match=r"is not among the 2 classes of the classifier"):
        fit_classes(arrays([0, 1], own), 2, Known(tuple(names), "the classifier"))


def test_names_that_two_classes_have_leave_a_doubt():
    names = ("crane", "ship", "crane")
    assert match_classes(arrays([0, 2], list(names)), Known(names, "it")).labels.tolist() == [0, 2]
    with pytest.raises(InputError, match="unknown which is which"):
        match_classes(arrays([0, 1, 2], ["ship", "crane", "crane"]), Known(names, "it"))


@pytest.mark.parametrize(
    ("names", "own"),
    [
        (["cat", "dog"], ["0", "1"]),
        (["tench", "goldfish"], ["n01440764", "n01443537"]),
        (["0", "1"], ["a", "b"]),
    ],
)
def test_numbers_wnids_and_words_say_nothing_about_each_other(names, own):
    source = arrays([0, 1], own)
    assert fit_classes(source, 2, Known(tuple(names), "it")) is source


def test_numerals_that_nobody_gave_are_no_names():
    source = arrays([0, 1, 0])
    assert fit_classes(source, 10, Known(tuple("abcdefghij"), "it")) is source
    assert fit_classes(source, 10, Known(tuple(map(str, range(1, 11))), "it")) is source


def test_wnids_of_folders_are_known_by_their_list_whatever_names_are_shown(tmp_path):
    """The ordinary ImageNet: folders are wnids, the lists beside them give places and names to show."""
    wnids, names = ["n01440764", "n01443537", "n01484850"], ["tench", "goldfish", "great white shark"]
    root = make_folder(tmp_path / "images", [wnids[2], wnids[0]])
    (tmp_path / "wnids.json").write_text(json.dumps(wnids))
    (tmp_path / "class_names.json").write_text(json.dumps(names))
    source = folder(root)
    for shown in (names, wnids, ["Schleie", "Goldfisch", "Hai"]):
        assert fit_classes(source, 3, Known(tuple(shown), "the classifier")) is source
    # Another order of the classifier is told by either list.
    for turned in (names[::-1], wnids[::-1]):
        assert reds(fit_classes(source, 3, Known(tuple(turned), "the classifier"))) == [(1, 2), (0, 0)]
    # A classifier of the classes that occur needs no others.
    assert reds(fit_classes(source, 2, Known(("great white shark", "tench"), "it"))) == [(1, 1), (0, 0)]


def test_joined_data_agree_in_names_and_not_in_their_number(tmp_path):
    first = arrays([0, 1], ["cat", "dog"])
    with pytest.raises(InputError, match=r'"cow".*is not among the 2 classes'):
        concatenate([first, arrays([0, 1], ["cat", "cow"])])
    assert concatenate([first, arrays([0, 1, 1], ["dog", "cat"])]).labels.tolist() == [0, 1, 1, 0, 0]
    # Numerals that nobody gave fit as labels; names come from those that have them.
    joined = concatenate([arrays([1, 0]), first])
    assert joined.labels.tolist() == [1, 0, 0, 1] and joined.class_names == ("cat", "dog")
    with pytest.raises(InputError, match=r"have 2 and 6 classes; expected the same classes"):
        concatenate([first, arrays([0, 5])])
    parts = [
        folder(make_folder(tmp_path / str(n), names)) for n, names in enumerate((["a", "b", "c"], ["a", "c"]))
    ]
    assert concatenate(parts).labels.tolist() == [0, 1, 2, 0, 2]


def test_held_out_folders_that_lack_a_class_keep_the_labels_of_training(tmp_path):
    train = folder(make_folder(tmp_path / "train", ["ant", "bee", "cow"]))
    held_out = align(train, folder(make_folder(tmp_path / "val", ["ant", "cow"])))
    assert held_out.labels.tolist() == [0, 2] and held_out.num_classes == 3
    with pytest.raises(InputError, match=r'"wasp".*of the training data'):
        align(train, folder(make_folder(tmp_path / "other", ["ant", "bee", "wasp"])))
