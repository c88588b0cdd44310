"""Where boxes that were drawn on pictures lie in what a target sees of these."""

import numpy as np

from jaxpath.data.transforms import crop_offset, resized_size
from jaxpath.types import Preprocessing


def boxes_in_view(boxes: np.ndarray, size: tuple[int, int], preprocessing: Preprocessing) -> np.ndarray:
    """Boxes in the evaluation view of their pictures, to the pixel.

    Args:
        boxes: [N, 4], top, left, bottom and right (the last two exclusive), in pixels of the pictures.
        size: (H, W) of the pictures.
        preprocessing: The target's.

    Returns:
        int32 [N, 4], the same in pixels of the crop; what is cut off lies outside of it.

    >>> boxes_in_view(np.array([[8, 16, 24, 32]]), (32, 64), Preprocessing(None, (16, 16), (0.5,), (0.5,)))
    array([[ 4,  0, 12,  8]], dtype=int32)
    """
    whole = resized_size(size[::-1], preprocessing)[::-1]
    scales = np.divide(whole, size)
    offsets = [crop_offset(length, crop) for length, crop in zip(whole, preprocessing.crop, strict=True)]
    # Top and left, then bottom and right: the same two axes twice.
    return np.rint(np.asarray(boxes) * np.tile(scales, 2) - np.tile(offsets, 2)).astype(np.int32)
