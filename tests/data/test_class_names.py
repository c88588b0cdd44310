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
    contradict,
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


def mapped(own, names, labels=None):
    """The labels that data with one picture of each class, or of ``labels``, have among ``names``."""
    source = arrays(range(len(own)) if labels is None else labels, list(own))
    return match_classes(source, Known(tuple(names), "it")).labels.tolist()


PLANTS = (
    "Pepper,_bell___Bacterial_spot",
    "Pepper,_bell___healthy",
    "Tomato___healthy",
)
SWAPPED = {
    "commas": (PLANTS[:2], PLANTS[1::-1]),
    "signs": (("-1", "0", "1"), ("1", "0", "-1")),
    "case": (("A", "a"), ("a", "A")),
    "marks": (("-", "_"), ("_", "-")),
    "powers": (("x²", "x2"), ("x2", "x²")),
    "sides": (("left, hand", "right, hand"), ("right, hand", "left, hand")),
    "states": (("Albany, NY", "New York, NY"), ("New York, NY", "Albany, NY")),
    "in words of their own case": (("Albany, NY", "New York, NY"), ("new_york, ny", "albany, ny")),
    "first synonyms": (("tench", "goldfish"), ("goldfish, Carassius auratus", "tench, Tinca tinca")),
    "capitals without a partner": (("Masse", "Maße"), ("maße", "masse")),
}


@pytest.mark.parametrize(("own", "names"), SWAPPED.values(), ids=SWAPPED)
def test_swapped_names_are_swapped_whatever_else_they_share(own, names):
    last = len(own) - 1
    assert mapped(own, names) == list(range(last, -1, -1))
    assert mapped(own, own) == list(range(len(own))) == mapped(names, names)
    assert mapped(own, names, labels=[0]) == [last]
    assert contradict(own, names) and not contradict(own, own)


SAME = {
    "plants reversed": (PLANTS, PLANTS[::-1], [2, 1, 0]),
    "plants in part": (PLANTS[1:], PLANTS, [1, 2]),
    "plants in small letters": ([name.lower() for name in PLANTS[::-1]], PLANTS, [2, 1, 0]),
    "a swimsuit": (["maillot, tank suit"], ["maillot", "maillot, tank suit", "missile"], [1]),
    "a missile": (["missile"], ["projectile, missile", "missile"], [1]),
    "a capital missile": (["Missile"], ["projectile, missile", "missile"], [1]),
    "a small letter": (["a"], ["A", "a", "B"], [1]),
    "composed letters": (["cafe\u0301", "bar"], ["bar", "caf\u00e9"], [1, 0]),
    "numbers in words": (["cat 2", "7", "cat"], ["cat", "Cat_2", "007"], [1, 2, 0]),
    "a first synonym of two": (
        ["skunk", "polecat"],
        ["polecat, fitch", "skunk, polecat, wood pussy"],
        [1, 0],
    ),
    "the second synonyms": (
        ["Tinca tinca", "Carassius"],
        ["goldfish, Carassius", "tench, Tinca tinca"],
        [1, 0],
    ),
}


@pytest.mark.parametrize(("own", "names", "places"), SAME.values(), ids=SAME)
def test_each_name_goes_to_the_best_of_its_places(own, names, places):
    assert mapped(own, names) == places
    back = mapped(names, own, labels=places)
    assert back == list(range(len(own)))


DOUBTS = {
    "a shared part": (["NY"], ["Albany, NY", "New York, NY"]),
    "a shared part on our side": (["Albany, NY", "New York, NY"], ["NY", "Boston"]),
    "shared parts at the same places": (["left, hand", "right, hand"], ["links, hand", "rechts, hand"]),
    "one part in common": (["left, hand"], ["right, hand"]),
    "a shared first part": (["Pepper", "Tomato"], ["Tomato", "Pepper, healthy", "Pepper, spot"]),
    "two cases": (["AA", "b"], ["b", "aA", "Aa"]),
    "two cases on our side": (["A", "a"], ["b", "a"]),
    "two names for one": (["bar", "baz"], ["bar, baz", "foo"]),
    "the dog or the sweater": (["Cardigan"], ["Cardigan, Cardigan Welsh corgi", "cardigan"]),
    "twice the same": (["crane", "ship", "crane"], ["crane", "crane", "ship"]),
    "twice the same, and others": (["crane", "crane", "ship"], ["crane", "crane", "boat"]),
    "no letters in common": (["Masse"], ["Maße"]),
    "signs": (["-1"], ["1"]),
    "a sign among numbers": (["0", "1"], ["-1", "0"]),
    "powers": (["x²"], ["x2"]),
}


@pytest.mark.parametrize(("own", "names"), DOUBTS.values(), ids=DOUBTS)
def test_names_that_leave_a_doubt_are_refused(own, names):
    with pytest.raises(InputError, match=r"unknown which is which|is not among the"):
        mapped(own, names)


SYNONYMS = (
    "tench, Tinca tinca",
    "Cardigan, Cardigan Welsh corgi",
    "crane",
    "polecat, fitch, foulmart",
    "skunk, polecat, wood pussy",
    "cardigan",
    "crane",
    "maillot",
    "maillot, tank suit",
    "missile",
    "projectile, missile",
    "great white shark, white shark, man-eater",
)
SPELLINGS = {
    "as they are": lambda name: name,
    "title case": str.title,
    "capitals": str.upper,
    "underscores": lambda name: name.replace(" ", "_"),
    "first synonym": lambda name: name.split(",")[0],
    "first synonym in title case": lambda name: name.split(",")[0].title(),
    "first synonym with underscores": lambda name: name.split(",")[0].replace(" ", "_"),
}
BORN_BY_ONE = [0, 3, 4, 9, 10, 11]


@pytest.mark.parametrize("spell", SPELLINGS.values(), ids=SPELLINGS)
def test_spellings_of_imagenets_names_are_of_the_same_classes(spell):
    own = [spell(name) for name in SYNONYMS]
    everything, last = list(range(len(own))), len(own) - 1
    assert mapped(own, SYNONYMS) == mapped(SYNONYMS, own) == everything
    assert not contradict(own, SYNONYMS) and contradict(own[::-1], SYNONYMS)
    # In another order or in part, those with a name of their own.
    turned = [last - label for label in BORN_BY_ONE]
    assert mapped(own[::-1], SYNONYMS, labels=turned) == BORN_BY_ONE
    assert mapped(own, SYNONYMS[::-1], labels=BORN_BY_ONE) == turned
    assert mapped([own[label] for label in BORN_BY_ONE], SYNONYMS) == BORN_BY_ONE
    with pytest.raises(InputError, match=r'"(?i:crane)", "(?i:crane)".*unknown which is which'):
        mapped(own[::-1], SYNONYMS, labels=[last - 2])


def test_a_list_of_folders_settles_a_doubt_but_no_contradiction(tmp_path):
    root = make_folder(tmp_path / "images", ["Utica", "NY"])
    known = Known(("Albany, NY", "Utica, NY"), "it")
    with pytest.raises(InputError, match=r'"NY".*unknown which is which'):
        match_classes(folder(root), known)
    (root / "wnids.json").write_text(json.dumps(["NY", "Utica"]))
    assert reds(match_classes(folder(root), known)) == [(1, 0), (0, 1)]
    (root / "wnids.json").write_text(json.dumps(["Utica", "NY"]))
    with pytest.raises(InputError, match="unknown which is which"):
        match_classes(folder(root), known)


def test_wordnet_ids_are_more_certain_than_names(tmp_path):
    """Two birds and machines of the same name."""
    sources = []
    for number, wnids in enumerate((["n02012849", "n03126707"], ["n03126707", "n02012849"])):
        root = make_folder(tmp_path / str(number) / "images", wnids)
        (root.parent / "wnids.json").write_text(json.dumps(wnids))
        (root.parent / "class_names.json").write_text(json.dumps(["crane", "crane"]))
        sources.append(folder(root))
    assert sources[1].labels.tolist() == [1, 0] and align(*sources).labels.tolist() == [0, 1]


@pytest.mark.parametrize(
    "kinds",
    [
        (["ant", "bee", "cow"], ["1", "2", "3"]),
        (["0", "1", "2"], ["ant", "bee", "cow"]),
        (["ant", "bee"], ["n01440764", "n01443537"]),
    ],
)
def test_ranks_of_words_and_numbers_are_not_taken_for_each_other(tmp_path, kinds):
    train, held_out = (folder(make_folder(tmp_path / str(n), names)) for n, names in enumerate(kinds))
    listed = ".*".join(f'"{names[0]}", "{names[1]}"' for names in kinds[::-1])
    for join in (align, lambda *sources: concatenate(sources)):
        with pytest.raises(InputError, match=rf"{listed}.*unknown which is which.*wnids.json"):
            join(train, held_out)
    # Who lists the folders in the order of the classes says which is which.
    (tmp_path / "1" / "wnids.json").write_text(json.dumps(kinds[1][::-1]))
    turned = align(train, folder(tmp_path / "1"))
    assert turned.labels.tolist() == list(range(len(kinds[1])))[::-1]


def test_labels_that_somebody_gave_need_no_names_of_the_same_kind(tmp_path):
    words = folder(make_folder(tmp_path / "a", ["ant", "bee"]))
    plain = arrays([1, 0])
    assert align(words, plain) is plain and align(plain, words) is words
    numbered, named = arrays([0, 1], ["0", "1"]), arrays([0, 1], ["ant", "bee"])
    assert align(named, numbered) is numbered


@pytest.mark.parametrize("names", [["0", "1", "2"], ["000", "001", "002"], ["0", "01", "2"]])
def test_folders_that_are_the_numbers_of_the_classes_need_no_word(tmp_path, capsys, names):
    source = folder(make_folder(tmp_path / "images", names))
    assert fit_classes(source, 3, Known(("ant", "bee", "cow"), "the classifier")) is source
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("names", [["1", "2", "3"], ["0", "1", "3"], ["n01440764", "n01443537", "n01484850"]])
def test_other_folders_than_a_classifiers_words_are_taken_by_rank_and_that_is_said(tmp_path, capsys, names):
    source = folder(make_folder(tmp_path / "images", names))
    for _ in range(2):
        assert fit_classes(source, 3, Known(("ant", "bee", "cow"), "the classifier")) is source
    told = capsys.readouterr().err
    assert f'"{names[0]}" for "ant", "{names[1]}" for "bee", "{names[2]}" for "cow"' in told
    assert told.startswith("note: ") and told.count("\n") == 1 and "wnids.json" in told
