"""Data sets that are .npz files of images and labels."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from jaxpath.data.arrays import ArraySource
from jaxpath.data.splits import SPLIT_NAMES, choose_split
from jaxpath.files import array_names, read_arrays
from jaxpath.types import InputError

_FORM = "an .npz file of images and labels, as numpy.savez writes it"

_DARK = 16
"""A data set whose brightest pixel is not above counts in other steps, as scikit-learn's digits do."""


def npz(path: str | Path, split: str | None = None) -> ArraySource:
    """Returns one split of an ``.npz`` file.

    Its arrays are named ``train_images`` and ``train_labels``, ``x_train`` and ``y_train``, or
    ``train_x`` and ``train_y`` (likewise for test, val, validation and valid), or simply ``images``
    and ``labels``, or ``x`` and ``y``. Optional ``class_names`` name the classes. The file is read
    into memory.

    Args:
        path: The file.
        split: Name of the split; None takes ``train``, or all there is in a file without splits.

    Raises:
        InputError: No such file or split, or its arrays are no pictures and labels.
    """
    pairs = _array_pairs(found := array_names(path, _FORM))
    if not pairs:
        raise InputError(
            f"{path} holds the arrays {', '.join(found) or '(none)'}, but train_images and train_labels (or "
            "x_train and y_train, or images and labels) were expected; rename them"
        )
    pair = pairs[choose_split(tuple(pairs), split, str(path))]
    named = "class_names" in found
    arrays = read_arrays(path, _FORM, (*pair, *(["class_names"] if named else [])))
    images, labels = (arrays[name] for name in pair)
    _check_scale(images, f"{path} ({pair[0]})")
    names = _as_names(arrays["class_names"], path) if named else None
    return ArraySource(images, labels, class_names=names, origin=f"{path} ({pair[0]})")


def _check_scale(images: np.ndarray, origin: str) -> None:
    """Raises an error if the largest of all values is far from white: then white is something else."""
    largest = int(images.max()) if images.dtype == np.uint8 and images.size else 0
    if 0 < largest <= _DARK:
        raise InputError(
            f"the images of {origin} have no value above {largest}, so that all are nearly black; expected 0 "
            f"to 255: multiply them by {255 / largest:g} if {largest} is white"
        )


def _as_names(names: np.ndarray, path: str | Path) -> list[str]:
    if names.ndim != 1 or names.dtype.kind not in "US":
        raise InputError(
            f'the array "class_names" of {path} is {names.dtype} of shape {list(names.shape)}; expected one '
            "text per class: numpy.array(names)"
        )
    return [name.decode("utf-8", "replace") if isinstance(name, bytes) else name for name in names.tolist()]


def _array_pairs(names: Sequence[str]) -> dict[str, tuple[str, str]]:
    """Returns split -> names of its (images, labels); the split of a file without splits is ""."""
    patterns = {
        split: [
            (f"{split}_images", f"{split}_labels"),
            (f"x_{split}", f"y_{split}"),
            (f"X_{split}", f"y_{split}"),
            (f"{split}_x", f"{split}_y"),
        ]
        for split in SPLIT_NAMES
    }
    patterns[""] = [("images", "labels"), ("x", "y"), ("X", "y")]
    present = {
        split: [pair for pair in pairs if set(pair) <= set(names)] for split, pairs in patterns.items()
    }
    return {split: pairs[0] for split, pairs in present.items() if pairs}
