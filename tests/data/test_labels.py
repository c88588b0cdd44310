"""Labels that are none: hidden ones, other numbers, other types; and arrays that are no pictures."""

import io
import zipfile

import numpy as np
import pytest

from jaxpath.data import ArraySource, Source, check_labels, concatenate, labels_known, names_of_classes, npz
from jaxpath.types import InputError


def arrays(labels, names=None):
    return ArraySource(np.zeros((len(labels), 2, 2), np.uint8), np.array(labels), class_names=names)


class Records(Source):
    """Labels that only reading tells, as in TFDS."""

    labels = None
    class_names = ("cat", "dog", "emu")

    def __init__(self, labels):
        self._labels = labels

    def __len__(self):
        return len(self._labels)

    def __getitem__(self, index):
        return {"image": np.zeros((2, 2, 1), np.uint8), "label": np.int32(self._labels[index])}

    def name(self, index):
        return f"record {index}"


@pytest.mark.parametrize("source", [arrays([-1, -1]), Records([-1] * 40)], ids=["arrays", "records"])
def test_hidden_labels_pass_only_where_none_is_needed(source):
    check_labels(source, 3, needed=False)
    assert not labels_known(source)
    with pytest.raises(InputError, match=r"has the label -1, as all others.*take labelled data"):
        check_labels(source, 3)


def test_hidden_labels_among_others_are_refused():
    for source, name in ((arrays([0, -1, 1]), "example 1"), (Records([0, 1, -1]), "an example of record 0")):
        with pytest.raises(InputError, match=f"{name}.*has the label -1"):
            check_labels(source, 3, needed=False)
    with pytest.raises(InputError, match="has the label -1"):
        check_labels(concatenate([arrays([0, 1]), arrays([-1])]), 3)


@pytest.mark.parametrize(
    ("labels", "names", "message"),
    [
        ([0, -2], None, r"label of example 1 .* is -2; expected 0 to"),
        ([0, 2**31], None, r"label of example 1 .* is 2147483648"),
        (np.array([0, 2**63], np.uint64), None, r"is 9223372036854775808"),
        ([0, 2], ["cat", "dog"], r"is 2; expected 0 to 1, as there are 2 class names"),
        ([0.0, 1.0], None, "float64 of shape"),
        (np.eye(2, dtype=int), None, "of one-hot labels take the argmax"),
        (["cat", "dog"], None, "2 integers, one per image"),
        ([True, False], None, "bool of shape"),
    ],
)
def test_what_is_no_label_is_refused(labels, names, message):
    with pytest.raises(InputError, match=message):
        ArraySource(np.zeros((2, 2, 2), np.uint8), np.array(labels), class_names=names)


def test_labels_from_one_on_do_not_tell_from_which_number_they_count():
    source = arrays([1, 2, 3, 4])
    with pytest.raises(InputError, match="has the label 4"):
        check_labels(source, 4)
    with pytest.raises(InputError, match=r"1 to 4 and none is 0.*count from 0, or add class_names"):
        check_labels(source, 5)
    check_labels(source, 10)
    check_labels(arrays([1, 2, 3, 4], list("abcde")), 5)


def test_named_classes_are_as_many_as_the_targets():
    with pytest.raises(InputError, match="the data have 3 classes, but the target has 10"):
        check_labels(arrays([0, 1], ["cat", "dog", "emu"]), 10)


def test_classes_are_shown_by_name_or_by_number():
    assert names_of_classes(arrays([0, 1], ["cat", "dog"]), 2) == ("cat", "dog")
    assert names_of_classes(arrays([0, 1]), 3) == ("0", "1", "2")
    assert names_of_classes(arrays([-1]), 2) == ("0", "1")


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (np.zeros((2, 4, 4, 3), np.float32), "float32, but uint8"),
        (np.zeros((2, 4, 4, 3), np.int64), "int64, but uint8"),
        (np.zeros((2, 3, 4, 4), np.uint8), "move the channels to the end"),
        (np.zeros((2, 4, 4, 4), np.uint8), r"shape \[2, 4, 4, 4\]"),
        (np.zeros((2, 16), np.uint8), r"shape \[2, 16\]"),
    ],
)
def test_arrays_that_are_no_pictures_are_refused(images, message):
    with pytest.raises(InputError, match=message):
        ArraySource(images, np.array([0, 1]))


@pytest.mark.parametrize("save", [np.savez, np.savez_compressed])
def test_a_damaged_npz_is_one_sentence(tmp_path, save):
    path = tmp_path / "set.npz"
    pixels = np.random.default_rng(0).integers(0, 256, (50, 8, 8), dtype=np.uint8)
    save(path, images=pixels, labels=np.arange(50) % 3, class_names=np.array(["cat", "dog", "emu"]))
    whole = path.read_bytes()
    with zipfile.ZipFile(io.BytesIO(whole)) as file:
        start = file.getinfo("images.npy").header_offset + 60
    for cut in (10, len(whole) // 2, len(whole) - 30):
        path.write_bytes(whole[:cut])
        with pytest.raises(InputError, match=str(path)):
            npz(path)
    flipped = bytearray(whole)
    flipped[start + 200] ^= 0xFF
    path.write_bytes(flipped)
    with pytest.raises(InputError, match=f"{path} cannot be read .*images.npy"):
        npz(path)


def test_class_names_of_an_npz_are_texts(tmp_path):
    path = tmp_path / "set.npz"
    arguments = {"images": np.zeros((2, 2, 2), np.uint8), "labels": np.array([0, 1])}
    np.savez(path, **arguments, class_names=np.array([b"cat", "Übung".encode()]))
    assert npz(path).class_names == ("cat", "Übung")
    np.savez(path, **arguments, class_names=np.array([[1, 2]]))
    with pytest.raises(InputError, match=r"class_names.*one text per class"):
        npz(path)
