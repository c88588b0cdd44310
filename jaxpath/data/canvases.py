"""Cluttered canvases: a picture at a random place among pieces of others; the true region is known."""

from typing import NamedTuple

import numpy as np

from jaxpath.data.arrays import ArraySource
from jaxpath.types import InputError

INK = 50
"""Value from which on a pixel belongs to the pasted picture."""


class Clutter(NamedTuple):
    """What a canvas looks like; the defaults are cluttered MNIST's.

    Attributes:
        size: Height and width of the canvas in pixels.
        pieces: Number of crops of other pictures: strokes that distract.
        piece: Height and width of a crop.
    """

    size: int = 56
    pieces: int = 8
    piece: int = 8


class CanvasSource(ArraySource):
    """Cluttered canvases.

    Attributes:
        boxes: int32 [N, 4], top, left, bottom and right (the last two exclusive) of the pasted picture's ink.
        ink: bool [N, H, W], the pixels of that ink.
    """

    def __init__(self, images: np.ndarray, labels: np.ndarray, ink: np.ndarray, **options):
        super().__init__(images, labels, **options)
        self.ink = ink
        self.boxes = np.stack([_box(mask) for mask in ink])


def cluttered(
    pictures: ArraySource, count: int, *, clutter: Clutter | None = None, seed: int
) -> CanvasSource:
    """Pastes pieces of other pictures, then one whole picture, each at a random place.

    What overlaps is combined by the pixelwise maximum. Pictures are taken in a random order, and all of them
    once before any is taken again. The same arguments give the same canvases.

    Args:
        pictures: Bright on black, such as digits.
        count: Number of canvases N.
        clutter: Size of the canvas and what is on it.
        seed: Of order and places.

    Raises:
        InputError: The canvas is too small for a picture or a piece as large as one; a picture is empty; or
            there are fewer than two pictures.
    """
    clutter = clutter or Clutter()
    images = pictures.images
    _check(images, clutter, pictures.origin)
    rng = np.random.default_rng(seed)
    order = np.concatenate([rng.permutation(len(images)) for _ in range(-(-count // len(images)))])[:count]
    canvases = np.zeros((count, clutter.size, clutter.size, images.shape[-1]), np.uint8)
    ink = np.zeros((count, clutter.size, clutter.size), bool)
    for canvas, mask, place in zip(canvases, ink, order, strict=True):
        others = rng.integers(0, len(images) - 1, clutter.pieces)
        for other in others + (others >= place):
            top, left = (rng.integers(0, side - clutter.piece + 1) for side in images.shape[1:3])
            _paste(canvas, images[other, top : top + clutter.piece, left : left + clutter.piece], rng)
        window = _paste(canvas, images[place], rng)
        mask[window] = images[place].max(axis=-1) > INK
    return CanvasSource(
        canvases,
        pictures.labels[order],
        ink,
        class_names=pictures.class_names,
        origin=f"canvases of {pictures.origin}",
    )


def _paste(canvas: np.ndarray, piece: np.ndarray, rng: np.random.Generator) -> tuple[slice, slice]:
    """Puts ``piece`` at a random place; returns the place."""
    free = np.subtract(canvas.shape[:2], piece.shape[:2]) + 1
    top, left = rng.integers(0, free)
    window = slice(top, top + piece.shape[0]), slice(left, left + piece.shape[1])
    canvas[window] = np.maximum(canvas[window], piece)
    return window


def _box(mask: np.ndarray) -> np.ndarray:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    return np.array([rows[0], columns[0], rows[-1] + 1, columns[-1] + 1], np.int32)


def _check(images: np.ndarray, clutter: Clutter, origin: str) -> None:
    height, width = images.shape[1:3]
    if len(images) < 2 or max(height, width) > clutter.size or clutter.piece >= min(height, width):
        raise InputError(
            f"{origin} has {len(images)} pictures of {height} x {width} pixels for canvases of "
            f"{clutter.size} and pieces of {clutter.piece}; expected two pictures or more, no larger than "
            "the canvas and larger than a piece, which would be another whole picture: take smaller pieces"
        )
    if empty := np.flatnonzero(~(images > INK).any(axis=(1, 2, 3))).tolist():
        raise InputError(
            f"example {empty[0]} of {origin} has no pixel above {INK}; expected something to be found: leave "
            "such pictures out"
        )
