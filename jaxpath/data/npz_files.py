"""Data sets that are .npz files of images and labels."""

import contextlib
import lzma
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from jaxpath.data.arrays import ArraySource
from jaxpath.data.splits import SPLIT_NAMES, choose_split
from jaxpath.types import InputError

_DAMAGE = (
    *(zipfile.BadZipFile, zlib.error, lzma.LZMAError),
    *(ValueError, OSError, EOFError, LookupError, TypeError, SyntaxError, RuntimeError, MemoryError),
)
"""What damaged files raise while they are read."""


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
    path = Path(path)
    with _open_npz(path) as arrays:
        pairs = _array_pairs(arrays.files)
        if not pairs:
            raise InputError(
                f"{path} holds the arrays {', '.join(arrays.files) or '(none)'}, but train_images and "
                "train_labels (or x_train and y_train, or images and labels) were expected; rename them"
            )
        subset = choose_split(tuple(pairs), split, str(path))
        images_name, labels_name = pairs[subset]
        names = _read_names(arrays, path) if "class_names" in arrays.files else None
        origin = f"{path} ({images_name})"
        return ArraySource(
            _read(arrays, images_name, path),
            _read(arrays, labels_name, path),
            class_names=names,
            origin=origin,
        )


def _read_names(arrays: np.lib.npyio.NpzFile, path: Path) -> list[str]:
    names = _read(arrays, "class_names", path)
    if names.ndim != 1 or names.dtype.kind not in "US":
        raise InputError(
            f'the array "class_names" of {path} is {names.dtype} of shape {list(names.shape)}; expected one '
            "text per class: numpy.array(names)"
        )
    return [name.decode("utf-8", "replace") if isinstance(name, bytes) else name for name in names.tolist()]


@contextlib.contextmanager
def _open_npz(path: Path) -> Iterator[np.lib.npyio.NpzFile]:
    if not path.is_file():
        raise InputError(f"there is no file {path}; give the path of an .npz file")
    try:
        # NumPy leaves a damaged file open.
        file = path.open("rb")
    except OSError as error:
        raise InputError(f"{path} cannot be read ({error.strerror}); allow it") from error
    with file:
        try:
            arrays = np.load(file, allow_pickle=False)
        except _DAMAGE as error:
            raise InputError(f"{path} is not an .npz file ({error}); write it with numpy.savez") from error
        if not isinstance(arrays, np.lib.npyio.NpzFile):
            raise InputError(
                f"{path} holds a single array, but images and labels were expected; use numpy.savez"
            )
        with arrays:
            yield arrays


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


def _read(arrays: np.lib.npyio.NpzFile, name: str, path: Path) -> np.ndarray:
    try:
        return arrays[name]
    except _DAMAGE as error:
        raise InputError(
            f'the array "{name}" of {path} cannot be read ({error}); write the file again'
        ) from error
