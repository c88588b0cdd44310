"""The masks and pictures that pathways are compared with."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxpath.blanks import blank_pictures
from jaxpath.metrics.under_masks import site_units
from jaxpath.types import Target

NUM_FOREIGN = 16
"""Pictures of other classes that each pathway is put on."""


def opened(table: np.ndarray) -> np.ndarray:
    """A row for ``table`` with every gate open, [1, width]."""
    return np.full_like(table[:1], 255 if table.dtype == np.uint8 else 1)


def complements(table: np.ndarray) -> np.ndarray:
    """The table with what was open closed, and the other way round."""
    # Bits beyond the last unit are never read.
    return ~table if table.dtype == np.uint8 else table == 0


def shuffled(table: np.ndarray, target: Target, rng: np.random.Generator) -> np.ndarray:
    """Random masks that open as many neurons at each site as the rows of ``table`` do.

    Args:
        table: Channel masks [M, N] or bits of unit masks, as in ``Records.table``.
        target: Whose sites these are.
        rng: Of the draws.
    """
    bits = table.dtype == np.uint8
    widths = site_units(target) if bits else [site.channels for site in target.sites]
    masks = np.unpackbits(table, axis=1, count=sum(widths)) if bits else table
    edges = np.cumsum(widths)[:-1]
    drawn = np.concatenate([rng.permuted(part, axis=1) for part in np.split(masks, edges, axis=1)], axis=1)
    return np.packbits(drawn, axis=1) if bits else drawn


def blanks_beside(images: np.ndarray, places: np.ndarray, target: Target, *, seed: int) -> np.ndarray:
    """The blank pictures of each image, see :func:`jaxpath.blanks.blank_pictures`: uint8 [n, 4, H, W, C]."""
    # One shape for any number of pictures: one program.
    drawn = [
        _draw_blanks(jnp.asarray(image[None]), jnp.asarray([place]), target.preprocessing, seed=seed)
        for image, place in zip(images, places, strict=True)
    ]
    return np.stack([np.asarray(blanks)[:, 0] for blanks in drawn])


_draw_blanks: Any = jax.jit(blank_pictures, static_argnames=("preprocessing", "seed"))


def foreign_images(
    label: int, predicted: np.ndarray, rng: np.random.Generator, *, most: int = NUM_FOREIGN
) -> np.ndarray:
    """Up to ``most`` pictures that are not predicted as ``label``, drawn at random: rows, rising.

    Args:
        label: The class.
        predicted: int [R], the classes of the pictures.
        rng: Of the draw.
        most: How many.
    """
    return np.sort(rng.permutation(np.flatnonzero(predicted != label))[:most])


def same_rows(images: Sequence[np.ndarray] | np.ndarray, others: np.ndarray) -> list[np.ndarray]:
    """For each of ``images`` the rows of ``others`` [R, H, W, C] that are the same picture."""
    return [np.flatnonzero((others == image[None]).all(axis=(1, 2, 3))) for image in images]
