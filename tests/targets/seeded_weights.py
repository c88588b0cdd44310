"""Weights and images that PyTorch's and JAX's side of the parity test build alike, from a seed per key.

Pure NumPy. ``RandomState``'s streams are frozen by NumPy's policy, so the fixtures stay valid.
"""

import zlib
from collections.abc import Mapping

import numpy as np


def make_tensor(key: str, shape: tuple[int, ...]) -> np.ndarray:
    """The tensor called ``key`` in a state dict; scaled by He's rule so that activations stay O(1)."""
    random = np.random.RandomState(zlib.crc32(key.encode()))
    values = random.uniform(-1, 1, shape)
    leaf = key.rpartition(".")[2]
    if len(shape) > 1:
        values *= np.sqrt(6 / np.prod(shape[1:]))
    elif leaf == "running_var":
        # Above 1, because residual blocks add up what each of them lets through.
        values = 2.5 + values
    elif leaf == "weight":
        values = 1 + values / 2
    else:
        values /= 10
    return values.astype(np.float32)


def make_state(shapes: Mapping[str, tuple[int, ...]]) -> dict[str, np.ndarray]:
    """A whole state dict, from names and shapes."""
    return {key: make_tensor(key, shape) for key, shape in shapes.items()}


def make_images(shape: tuple[int, ...]) -> np.ndarray:
    """Normalised images [B, H, W, C]."""
    return np.random.RandomState(0).uniform(-2, 2, shape).astype(np.float32)


def summarize(activation: np.ndarray, num_samples: int = 64) -> tuple[np.ndarray, np.ndarray]:
    """What a fixture keeps of an activation: the mean of each channel, and values spread over it.

    Args:
        activation: [B, ..., C], channels last.
        num_samples: Raw values to keep.

    Returns:
        Means [C] and values [num_samples]; their stride is odd, so that it visits many channels.
    """
    flat = activation.reshape(-1)
    stride = max(1, flat.size // num_samples) | 1
    return activation.reshape(-1, activation.shape[-1]).mean(axis=0), flat[::stride][:num_samples]
