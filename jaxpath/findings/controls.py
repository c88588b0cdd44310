"""Controls of a pathway: without it, random ones as large, pictures of nothing and of other classes."""

import numpy as np

NUM_RANDOM = 3
"""Random pathways of the same size that a pathway is compared with."""

NUM_FOREIGN = 16
"""Reference images of other classes that each pathway is put on."""


def opened(table: np.ndarray) -> np.ndarray:
    """A row for ``table`` with every gate open, [1, width]."""
    return np.full_like(table[:1], 255 if table.dtype == np.uint8 else 1)


def complements(table: np.ndarray) -> np.ndarray:
    """The table with what was open closed, and the other way round."""
    # Bits beyond the last unit are never read.
    return ~table if table.dtype == np.uint8 else table == 0


def shuffled(table: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Random masks that open as many neurons as the rows of ``table`` do."""
    if table.dtype != np.uint8:
        return rng.permuted(table, axis=1)
    return np.packbits(rng.permuted(np.unpackbits(table, axis=1), axis=1), axis=1)


def blank_images(shape: tuple[int, int, int], seed: int) -> np.ndarray:
    """Pictures of nothing, uint8 [4, H, W, C]: two of noise, a grey one, and a black one."""
    rng = np.random.default_rng(seed)
    noise = rng.integers(0, 256, (2, *shape), dtype=np.uint8)
    return np.concatenate([noise, np.full((1, *shape), 128, np.uint8), np.zeros((1, *shape), np.uint8)])


def foreign_images(
    predicted: np.ndarray, reference: np.ndarray, *, seed: int, most: int = NUM_FOREIGN
) -> list[np.ndarray]:
    """For each image, up to ``most`` reference images that are predicted as another class, drawn at random.

    Args:
        predicted: int [n], predicted classes of the images.
        reference: int [R], those of the reference.
        seed: Of the draws.
        most: How many.

    Returns:
        n arrays of rows of the reference, each rising.
    """
    rng = np.random.default_rng(seed)
    rows = []
    for label in predicted:
        others = np.flatnonzero(reference != label)
        rows.append(np.sort(rng.permutation(others)[:most]))
    return rows
