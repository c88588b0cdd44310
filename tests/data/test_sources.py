"""Arrays, digits, .npz files, random divisions and the check of labels."""

import numpy as np
import pytest

from jaxpath.data import (
    ArraySource,
    Subset,
    check_labels,
    concatenate,
    digits,
    draw,
    npz,
    open_source,
    split,
)
from jaxpath.types import InputError


def numbered(size: int, num_classes: int = 3) -> ArraySource:
    """Pictures [2, 2, 1] whose pixels are their number."""
    images = np.arange(size, dtype=np.uint8)[:, None, None, None] * np.ones((1, 2, 2, 1), np.uint8)
    return ArraySource(images, np.arange(size) % num_classes, origin="the numbers")


def test_the_digits_are_scaled_to_the_whole_range_of_uint8():
    from sklearn.datasets import load_digits

    source = digits()
    raw = load_digits().images[17]
    picture = source[17]["image"]
    assert (len(source), source.num_classes, picture.shape, picture.dtype) == (1797, 10, (8, 8, 1), np.uint8)
    assert set(np.unique(source.images)) == {round(value * 255 / 16) for value in range(17)}
    np.testing.assert_array_equal(picture[..., 0], np.floor(raw * 255 / 16 + 0.5))


def test_the_splits_of_the_digits_are_disjoint_complete_and_stratified():
    everything, train, test = digits(), digits("train"), digits("test")
    assert len(train) + len(test) == len(everything)
    counts = np.bincount(everything.labels)
    np.testing.assert_array_equal(np.bincount(train.labels) + np.bincount(test.labels), counts)
    np.testing.assert_array_less(np.abs(np.bincount(test.labels) - 0.2 * counts), 0.51)

    def as_set(source):
        return {
            (image.tobytes(), int(label)) for image, label in zip(source.images, source.labels, strict=True)
        }

    assert as_set(train) | as_set(test) == as_set(everything)
    assert not as_set(train) & as_set(test)


@pytest.mark.parametrize(
    "names", [("train_images", "train_labels"), ("x_train", "y_train"), ("X_train", "y_train")]
)
def test_npz_knows_the_usual_names_and_gives_grey_images_a_channel(tmp_path, names):
    images = np.arange(3 * 4 * 5, dtype=np.uint8).reshape(3, 4, 5)
    path = tmp_path / "set.npz"
    np.savez(path, **{names[0]: images, names[1]: np.array([[2], [0], [1]])})
    source = npz(path)
    assert source[1]["image"].shape == (4, 5, 1)
    np.testing.assert_array_equal(source.images[..., 0], images)
    np.testing.assert_array_equal(source.labels, [2, 0, 1])


def test_npz_without_splits_is_one_part_with_its_class_names(tmp_path):
    path = tmp_path / "set.npz"
    np.savez(path, images=np.zeros((2, 4, 4, 3), np.uint8), labels=[0, 1], class_names=["cat", "dog", "emu"])
    source = open_source(str(path))
    assert source.class_names == ("cat", "dog", "emu")
    with pytest.raises(InputError, match=r'no split "test".*in one part'):
        npz(path, "test")


@pytest.mark.parametrize(
    ("arrays", "message"),
    [
        ({"pixels": np.zeros(3)}, "holds the arrays pixels"),
        ({"images": np.zeros((2, 4, 4, 3), np.float32), "labels": [0, 1]}, "float32, but uint8"),
        ({"images": np.zeros((2, 3, 4, 4), np.uint8), "labels": [0, 1]}, "move the channels to the end"),
        ({"images": np.zeros((2, 4, 4, 3), np.uint8), "labels": [0, 1, 2]}, "2 integers, one per image"),
        ({"images": np.zeros((2, 4, 4, 3), np.uint8), "labels": [0.5, 1.0]}, "float64 of shape"),
        ({"images": np.zeros((2, 4, 4, 3), np.uint8), "labels": np.array([{}, {}])}, "cannot be read"),
    ],
)
def test_npz_with_other_arrays_is_refused_by_name(tmp_path, arrays, message):
    path = tmp_path / "set.npz"
    np.savez(path, **arrays)
    with pytest.raises(InputError, match=message):
        npz(path)


@pytest.mark.parametrize("white", [1, 16])
def test_an_npz_whose_white_is_not_255_is_refused(tmp_path, white):
    images = np.full((3, 2, 2), white, np.uint8)
    np.savez(tmp_path / "set.npz", images=images, labels=np.arange(3))
    with pytest.raises(InputError, match=rf"no value above {white}, .* multiply them by {255 / white:g}"):
        npz(tmp_path / "set.npz")


def test_a_file_that_is_no_npz_is_refused(tmp_path):
    (tmp_path / "set.npz").write_bytes(b"not a zip file")
    with pytest.raises(InputError, match=r"it is no .npz file, or cut short"):
        npz(tmp_path / "set.npz")
    with pytest.raises(InputError, match="there is no file"):
        npz(tmp_path / "other.npz")


def test_an_unknown_split_lists_the_splits():
    with pytest.raises(InputError, match='no split "validation" in the digits; choose one of train, test'):
        digits("validation")


def test_an_unknown_data_set_lists_the_forms():
    with pytest.raises(
        InputError, match=r'"imagenet".*digits, npz:FILE.npz, folder:PATH, tar:FILE.tar, tfds:NAME'
    ):
        open_source("imagenet")


def test_a_division_is_disjoint_complete_and_given_by_its_seed():
    source = numbered(50)
    rest, held_out = split(source, 0.2, seed=1)
    assert (len(rest), len(held_out)) == (40, 10)
    np.testing.assert_array_equal(np.sort(np.concatenate([rest.indices, held_out.indices])), np.arange(50))
    np.testing.assert_array_equal(split(source, 0.2, seed=1)[1].indices, held_out.indices)
    assert set(split(source, 0.2, seed=2)[1].indices) != set(held_out.indices)


def test_a_drawn_part_is_given_by_its_seed_and_in_order():
    source = numbered(50)
    part = draw(source, 20, seed=1)
    assert len(part) == 20 and (np.diff(part.indices) > 0).all()
    np.testing.assert_array_equal(draw(source, 20, seed=1).indices, part.indices)
    assert set(draw(source, 20, seed=2).indices) != set(part.indices)
    assert set(draw(source, 5, seed=1).indices) < set(part.indices)
    np.testing.assert_array_equal(draw(source, 60, seed=1).indices, np.arange(50))


def test_a_subset_of_a_subset_refers_to_the_first_source():
    subset = Subset(Subset(numbered(50), [10, 20, 30, 40]), [3, 1])
    np.testing.assert_array_equal(subset.indices, [40, 20])
    np.testing.assert_array_equal(subset.labels, [40 % 3, 20 % 3])
    assert (subset[0]["image"] == 40).all() and subset[0]["label"] == 40 % 3
    assert subset.name(1) == "example 20 of the numbers"


@pytest.mark.parametrize("fraction", [0, 1, -0.5, 20])
def test_a_fraction_outside_zero_to_one_is_refused(fraction):
    with pytest.raises(InputError, match="between 0 and 1"):
        split(numbered(5), fraction, seed=0)


def test_a_label_outside_the_classes_is_named():
    source = numbered(9)
    check_labels(source, 3)
    check_labels(source, 1000)
    with pytest.raises(
        InputError, match=r"example 2 of the numbers has the label 2.*2 classes.*labels 0 to 1"
    ):
        check_labels(source, 2)
    with pytest.raises(InputError, match="has the label -1"):
        check_labels(ArraySource(source.images, source.labels - 1), 3)


def test_importing_the_room_leaves_the_heavy_libraries_alone():
    import subprocess
    import sys

    code = (
        "import sys, jaxpath.data; "
        "print([name for name in ('grain', 'tensorflow_datasets', 'sklearn') if name in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


def test_joined_sources_keep_examples_names_and_labels_in_order():
    first, second = numbered(3, 2), numbered(2, 2)
    joined = concatenate([first, second])
    assert len(joined) == 5
    assert [joined[i]["label"] for i in range(5)] == [*first.labels, *second.labels]
    assert joined.labels.tolist() == [*first.labels, *second.labels]
    assert [joined.name(i) for i in (2, 3)] == [first.name(2), second.name(0)]


def test_sources_of_different_classes_are_not_joined():
    other = ArraySource(np.zeros((1, 2, 2), np.uint8), np.zeros(1, int), class_names=["only"])
    with pytest.raises(InputError, match="expected the same classes"):
        concatenate([numbered(3), other])
