"""QuickDraw: drawings of 28 x 28 pixels, one ``.npy`` file of bitmaps per class."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from jaxpath.data.arrays import ArraySource
from jaxpath.data.splits import choose_split
from jaxpath.files import reason
from jaxpath.types import InputError

FLINT_CLASSES = ("ant", "apple", "banana", "carrot", "cat", "cow", "dog", "frog", "grapes", "lion")
"""The ten classes of Parekh et al. 2021."""

_SIDE = 28
_USED, _TRAINED = 10_000, 8_000


def quickdraw(
    folder: str | Path, split: str | None = None, *, classes: Sequence[str] = FLINT_CLASSES
) -> ArraySource:
    """Returns one split of QuickDraw's bitmaps.

    Of the first 10,000 drawings of each class, 8,000 are for training and 2,000 for the test (official code
    of FLINT); of a shorter file, the first four fifths and the rest.

    Args:
        folder: Holds ``CLASS.npy`` for every class, uint8 [N, 784], as Google publishes them.
        split: ``"train"``, ``"test"``, or None for ``"train"``.
        classes: In the order of the labels.

    Raises:
        InputError: A file is missing or holds something else, or there is no such split.
    """
    subset = choose_split(("train", "test"), split, str(folder))
    drawings = [_part(_read(Path(folder) / f"{name}.npy"), subset) for name in classes]
    labels = np.repeat(np.arange(len(classes), dtype=np.int32), [len(part) for part in drawings])
    return ArraySource(
        np.concatenate(drawings), labels, class_names=classes, origin=f"QuickDraw in {folder} ({subset})"
    )


def _part(drawings: np.ndarray, split: str) -> np.ndarray:
    used = drawings[:_USED]
    border = len(used) * _TRAINED // _USED
    return used[:border] if split == "train" else used[border:]


def _read(path: Path) -> np.ndarray:
    if not path.is_file():
        there = ", ".join(sorted(found.stem for found in path.parent.glob("*.npy"))) or "none"
        raise InputError(
            f"there is no file {path}; fetch QuickDraw's numpy_bitmap file of that class, or choose classes "
            f"that are there: {there}"
        )
    try:
        # Unlike numpy.load this takes nothing for a pickled object.
        drawings = np.lib.format.open_memmap(path, mode="r")
    # Damage makes NumPy raise nearly everything.
    except Exception as error:
        raise InputError(f"{path} is no .npy file ({reason(error)}); fetch it again") from error
    if drawings.dtype != np.uint8 or drawings.ndim != 2 or drawings.shape[1] != _SIDE**2:
        raise InputError(
            f"{path} holds {drawings.dtype} of shape {list(drawings.shape)}; expected uint8 [N, {_SIDE**2}]: "
            "fetch the file named numpy_bitmap"
        )
    return np.asarray(drawings[:_USED]).reshape(-1, _SIDE, _SIDE, 1)
