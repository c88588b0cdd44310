"""PyTorch's own files, read by PyTorch; nothing but tensors and plain values is unpickled."""

import warnings
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from jaxpath.errors import InputError, not_installed
from jaxpath.targets.state_dicts import Stored

SUFFIXES = (".pth", ".pt", ".th", ".bin", ".ckpt", ".tar")


def read_tree(file: Path) -> Mapping[Any, Any]:
    """What ``torch.save`` wrote, a nested mapping whose tensors are :class:`Stored`.

    Raises:
        InputError: PyTorch is not installed; or the file is damaged, holds code, or holds no mapping.
    """
    try:
        import torch
    except ImportError as error:
        raise not_installed(
            f"reading {file}", "PyTorch", "torch", otherwise="convert the file to .safetensors"
        ) from error
    try:
        # It warns of kinds of tensors that are refused here in a sentence.
        with warnings.catch_warnings(action="ignore"):
            saved = torch.load(file, map_location="cpu", weights_only=True)
    # A damaged archive or pickle raises whatever the place where it broke raises.
    except Exception as error:
        raise InputError(
            f"{file} is damaged or holds more than tensors; fetch it again, or save model.state_dict() alone"
        ) from error
    if not isinstance(saved, Mapping):
        raise InputError(
            f"{file} holds a {type(saved).__name__}; expected a state dict, alone or beside others: save "
            "model.state_dict()"
        )
    return _as_tree(saved, file, torch.is_tensor)


def _as_tree(saved: Mapping[Any, Any], file: Path, is_tensor: Callable[[Any], bool]) -> dict[Any, Any]:
    """The same mapping with :class:`Stored` in place of tensors, and without anything else."""
    tree: dict[Any, Any] = {}
    for key, value in saved.items():
        if isinstance(value, Mapping):
            tree[key] = _as_tree(value, file, is_tensor)
        elif is_tensor(value):
            tree[key] = Stored(tuple(value.shape), partial(as_numpy, value, str(key), file))
    return tree


def as_numpy(tensor: Any, name: str, file: Path) -> np.ndarray:
    """A tensor of PyTorch as an array; floating-point numbers become float32, but for float64.

    Raises:
        InputError: It is quantised, sparse, complex, of 8-bit floats, or has no values.
    """
    kind = str(tensor.dtype).removeprefix("torch.")
    odd = {
        "quantised": tensor.is_quantized,
        "sparse": str(tensor.layout) != "torch.strided",
        "complex": tensor.is_complex(),
        "of 8-bit floats": kind.startswith("float8"),
        "on the meta device, without values": tensor.is_meta,
        "of packed 4-bit floats": kind.startswith("float4"),
    }
    kinds = [word for word, holds in odd.items() if holds]
    if kinds:
        raise InputError(
            f"the tensor {name} in {file} is {kinds[0]} ({kind}); expected plain real numbers: save the "
            "network in float32, float16 or bfloat16, with dense tensors on the CPU"
        )
    try:
        # NumPy has no bfloat16, and float32 holds every half-precision number exactly.
        halved = tensor.is_floating_point() and kind != "float64"
        array: np.ndarray = (tensor.float() if halved else tensor).detach().numpy()
    except (RuntimeError, TypeError) as error:
        reason = str(error).strip().splitlines()[0]
        raise InputError(
            f"the tensor {name} in {file} is of type {kind}, which cannot be read ({reason}); save the "
            "network in float32"
        ) from error
    return array
