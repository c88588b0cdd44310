"""Files of safetensors: tensors as NumPy arrays, and the header's words."""

import contextlib
from collections.abc import Iterator, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from jaxpath.files import replacing
from jaxpath.targets.state_dicts import Stored
from jaxpath.types import InputError

_READABLE = frozenset(
    ("F64", "F32", "F16", "BF16", "I64", "I32", "I16", "I8", "U64", "U32", "U16", "U8", "BOOL")
)
"""Types that NumPy has, and bfloat16, which comes as that of ml_dtypes."""


def write_safetensors(path: str | Path, arrays: Mapping[str, np.ndarray], *, key: str, text: str) -> None:
    """Writes arrays, with ``text`` under one ``key`` of the header, in one move.

    The same arrays and text make the same bytes, which several keys would not: the library shuffles them.
    """
    with replacing(path) as partial_file:
        save_file(dict(arrays), partial_file, metadata={key: text})


def read_words(file: Path) -> dict[str, str]:
    """The words in a file's header.

    Raises:
        InputError: The file is damaged.
    """
    with _named_errors(file):
        return dict(safe_open(file, framework="numpy").metadata() or {})


def stored_tensors(file: Path) -> dict[str, Stored]:
    """The tensors of a file by name; their values are read when they are asked for.

    Raises:
        InputError: The file is damaged.
    """
    with _named_errors(file):
        opened = safe_open(file, framework="numpy")
        parts = {name: opened.get_slice(name) for name in opened.keys()}  # noqa: SIM118
        return {
            name: Stored(tuple(part.get_shape()), partial(_read, opened, file, name, part.get_dtype()))
            for name, part in parts.items()
        }


def read_arrays(file: Path) -> dict[str, np.ndarray]:
    """All arrays of a file by name.

    Raises:
        InputError: The file is damaged, or holds numbers of a type that NumPy has not.
    """
    return {name: stored.read() for name, stored in stored_tensors(file).items()}


def _read(opened: Any, file: Path, name: str, kind: str) -> np.ndarray:
    if kind not in _READABLE:
        raise InputError(
            f"the tensor {name} in {file} is of type {kind}; expected plain real numbers: save the network "
            "in float32, float16 or bfloat16"
        )
    with _named_errors(file):
        array: np.ndarray = opened.get_tensor(name)
        return array


@contextlib.contextmanager
def _named_errors(file: Path) -> Iterator[None]:
    try:
        yield
    except (SafetensorError, OSError) as error:
        raise InputError(f"{file} is no readable safetensors file ({error}); fetch it again") from error
