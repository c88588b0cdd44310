"""Cluttered canvases: what is pasted where, and that the same seed gives the same ones."""

import numpy as np
import pytest

from jaxpath import data
from jaxpath.types import InputError


def pictures(count=5, size=6):
    """Every picture has its own brightness, with a dim frame that is no ink."""
    images = np.full((count, size, size, 1), 20, np.uint8)
    images[:, 1:-1, 2:-1] = (100 + 10 * np.arange(count))[:, None, None, None]
    return data.ArraySource(images, np.arange(count))


CLUTTER = data.Clutter(size=20, pieces=3, piece=3)


def test_the_picture_lies_where_its_box_and_ink_say():
    source = data.cluttered(pictures(), 12, clutter=CLUTTER, seed=1)
    assert source.images.shape == (12, 20, 20, 1)
    for image, label, ink, box in zip(source.images, source.labels, source.ink, source.boxes, strict=True):
        top, left, bottom, right = box
        assert (bottom - top, right - left) == (4, 3)
        assert ink.sum() == ink[top:bottom, left:right].sum() == 12
        assert (image[ink] >= 100 + 10 * label).all()


def test_pieces_are_of_other_pictures_and_everything_else_is_black():
    source = data.cluttered(pictures(2), 30, clutter=CLUTTER, seed=1)
    for image, label, (top, left, _, _) in zip(source.images, source.labels, source.boxes, strict=True):
        outside = image.copy()
        outside[top - 1 : top + 5, left - 2 : left + 4] = 0
        assert set(np.unique(outside)) <= {0, 20, 110 - 10 * label}
        # Three pieces of 3 x 3 at most.
        assert (outside > 0).sum() <= 27
    brightest = source.images.max(axis=(1, 2, 3))
    assert (brightest != 100 + 10 * source.labels).any()


def test_every_picture_is_taken_once_before_any_is_taken_again():
    source = data.cluttered(pictures(), 10, clutter=CLUTTER, seed=0)
    assert sorted(source.labels[:5]) == sorted(source.labels[5:]) == [0, 1, 2, 3, 4]


def test_the_seed_decides():
    first, again, other = (
        data.cluttered(pictures(), 4, clutter=CLUTTER, seed=seed).images for seed in (3, 3, 4)
    )
    np.testing.assert_array_equal(first, again)
    assert np.any(first != other)


def test_canvases_that_cannot_be_are_refused():
    for clutter in (CLUTTER._replace(size=5), CLUTTER._replace(piece=6), CLUTTER._replace(piece=7)):
        with pytest.raises(InputError, match="no larger than the canvas"):
            data.cluttered(pictures(), 2, clutter=clutter, seed=0)
    empty = data.ArraySource(np.zeros((2, 6, 6), np.uint8), np.arange(2))
    with pytest.raises(InputError, match="example 0"):
        data.cluttered(empty, 2, clutter=CLUTTER, seed=0)
