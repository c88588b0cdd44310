"""QuickDraw's bitmaps: which drawings are whose."""

import numpy as np
import pytest

from jaxpath.data import quickdraw
from jaxpath.types import InputError


def write(folder, name, count, value=0):
    drawings = np.zeros((count, 784), np.uint8)
    drawings[:, 0] = np.arange(count) % 251
    drawings[:, 1] = value
    np.save(folder / f"{name}.npy", drawings)


def test_the_first_8000_of_10000_are_for_training_and_the_rest_of_the_file_is_left(tmp_path):
    write(tmp_path, "ant", 10_050, 7)
    write(tmp_path, "cow", 10_000, 9)
    train = quickdraw(tmp_path, classes=("ant", "cow"))
    test = quickdraw(tmp_path, "test", classes=("ant", "cow"))
    assert (len(train), len(test)) == (16_000, 4_000)
    assert train.images.shape[1:] == (28, 28, 1) and train.class_names == ("ant", "cow")
    assert np.bincount(test.labels).tolist() == [2000, 2000]
    assert test.images[0, 0, 0, 0] == 8000 % 251
    np.testing.assert_array_equal(test.images[:, 0, 1, 0], np.where(test.labels == 0, 7, 9))


def test_a_shorter_file_is_divided_in_the_same_proportion(tmp_path):
    write(tmp_path, "ant", 10)
    assert len(quickdraw(tmp_path, "train", classes=("ant",))) == 8
    assert quickdraw(tmp_path, "test", classes=("ant",)).images[:, 0, 0, 0].tolist() == [8, 9]


def test_a_missing_class_is_said_with_those_that_are_there(tmp_path):
    write(tmp_path, "cow", 10)
    write(tmp_path, "bird", 10)
    with pytest.raises(InputError, match=r"no file .*ant\.npy; .*classes that are there: bird, cow"):
        quickdraw(tmp_path, classes=("cow", "ant"))


def test_a_missing_file_and_one_of_another_kind_are_named(tmp_path):
    with pytest.raises(InputError, match=r"there is no file .*ant\.npy"):
        quickdraw(tmp_path)
    np.save(tmp_path / "ant.npy", np.zeros((3, 10)))
    with pytest.raises(InputError, match=r"float64 of shape \[3, 10\]; expected uint8 \[N, 784\]"):
        quickdraw(tmp_path)
    (tmp_path / "ant.npy").write_bytes(b"no array")
    with pytest.raises(InputError, match=r"no \.npy file"):
        quickdraw(tmp_path)
    with pytest.raises(InputError, match="validation"):
        quickdraw(tmp_path, "validation")
