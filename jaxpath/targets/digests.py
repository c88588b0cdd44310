"""How parameters are named by their contents."""

import hashlib
from typing import Any

import jax
import numpy as np


def digest(arrays: Any) -> str:
    """SHA-256 of a pytree of arrays in hexadecimal: of their places, types, shapes and bits.

    >>> digest({"a": np.zeros(2)}) == digest({"a": np.zeros(2)})
    True
    >>> digest({"a": np.zeros(2)}) == digest({"a": np.zeros((2, 1))})
    False
    """
    names = hashlib.sha256()
    for path, leaf in jax.tree_util.tree_leaves_with_path(arrays):
        values = np.ascontiguousarray(leaf)
        names.update(f"{jax.tree_util.keystr(path)} {values.dtype} {values.shape} ".encode())
        names.update(values.tobytes())
    return names.hexdigest()
