"""Small files for experiments that only have to run."""

from pathlib import Path

import numpy as np


def write_random_images(path: Path, *, train: int, test: int) -> Path:
    """An .npz file of random colour images, 32 x 32, with labels 0 to 9 in turn."""
    rng = np.random.default_rng(0)
    arrays = {}
    for split, count in (("train", train), ("test", test)):
        arrays[f"{split}_images"] = rng.integers(0, 256, (count, 32, 32, 3), dtype=np.uint8)
        arrays[f"{split}_labels"] = np.arange(count) % 10
    np.savez(path, **arrays)
    return path
