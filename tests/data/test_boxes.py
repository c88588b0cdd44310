"""Boxes in what a target sees, against the picture of the box itself."""

import numpy as np
import pytest

from jaxpath.data import boxes_in_view, center_crop
from jaxpath.metrics import boxes_to_masks
from jaxpath.types import Preprocessing


@pytest.mark.parametrize(
    ("size", "resize", "crop"),
    [
        ((56, 56), None, (56, 56)),
        ((64, 64), None, (56, 56)),
        ((60, 100), 40, (32, 32)),
        ((50, 40), 30, (48, 48)),
    ],
)
def test_a_box_lies_where_its_picture_is_seen(size, resize, crop):
    preprocessing = Preprocessing(resize, crop, (0.5,), (0.5,))
    boxes = np.array([[10, 12, 38, 30], [20, 25, 45, 39]])
    moved = boxes_in_view(boxes, size, preprocessing)
    if size == crop:
        np.testing.assert_array_equal(moved, boxes)
    for (top, left, bottom, right), mask in zip(boxes, np.asarray(boxes_to_masks(moved, crop)), strict=True):
        picture = np.zeros((*size, 1), np.uint8)
        picture[top:bottom, left:right] = 255
        seen = center_crop(picture, preprocessing)[..., 0] > 127
        assert seen.any()
        # Half a pixel may be rounded either way on each side.
        assert (seen != mask).sum() <= 2 * (seen.any(axis=1).sum() + seen.any(axis=0).sum())
        assert (seen & (mask > 0)).sum() / (seen | (mask > 0)).sum() > 0.85
