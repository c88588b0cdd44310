"""How a target's parameters are called and laid out in PyTorch's files.

Submodules carry torchvision's names, so one rule serves every family: ``layer1_0/conv1/kernel`` is
``layer1.0.conv1.weight``. A :class:`~jaxpath.targets.family.Family` says where its networks depart from it.
"""

import math
import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

import jax
import numpy as np
from flax.traverse_util import flatten_dict

from jaxpath.targets.family import Family
from jaxpath.targets.registry import families_of
from jaxpath.types import Target

_LEAVES = {
    "kernel": "weight",
    "scale": "weight",
    "bias": "bias",
    "mean": "running_mean",
    "var": "running_var",
}


class Slot(NamedTuple):
    """One array of a target's parameters and the tensor that fills it.

    Attributes:
        path: Place in the parameters, such as ``("params", "conv1", "kernel")``.
        key: Name in a state dict, such as ``"conv1.weight"``.
        shape: Of the array here: [h, w, I, O] for a convolution, [I, O] for a dense layer.
        torch_shape: Of the tensor: [O, I, h, w], [O, I].
        grid: (side, side, C) where the inputs of a dense layer are a flattened grid, else None.
    """

    path: tuple[str, ...]
    key: str
    shape: tuple[int, ...]
    torch_shape: tuple[int, ...]
    grid: tuple[int, int, int] | None

    def from_torch(self, tensor: np.ndarray) -> np.ndarray:
        """The tensor [torch_shape] as the array [shape], float32."""
        if self.grid:
            side, _, channels = self.grid
            tensor = tensor.reshape(-1, channels, side, side)
        if tensor.ndim == 4:
            tensor = tensor.transpose(2, 3, 1, 0)
        elif tensor.ndim == 2:
            tensor = tensor.T
        return tensor.reshape(self.shape).astype(np.float32)

    def to_torch(self, array: np.ndarray) -> np.ndarray:
        """The inverse of :meth:`from_torch`."""
        if self.grid:
            array = array.reshape(*self.grid, -1)
        if array.ndim == 4:
            array = array.transpose(3, 2, 0, 1)
        elif array.ndim == 2:
            array = array.T
        return np.ascontiguousarray(array.reshape(self.torch_shape), np.float32)


def parameter_slots(target: Target) -> list[Slot]:
    """Lists every array of a target's parameters with the name and shape of its tensor."""
    shapes = flatten_dict(jax.eval_shape(target.init, jax.random.key(0)))
    grid_channels = [site.channels for site in target.sites if site.spatial][-1:]
    flattened = {f"{family.flattened}.weight" for family in families_of(target.name) if family.flattened}
    slots = []
    for path, leaf in shapes.items():
        key, shape, grid = torch_key(path), tuple(leaf.shape), None
        torch_shape = (shape[3], shape[2], *shape[:2]) if len(shape) == 4 else shape
        torch_shape = shape[::-1] if len(shape) == 2 else torch_shape
        if key in flattened and grid_channels:
            side = round((shape[0] // grid_channels[0]) ** 0.5)
            grid = (side, side, grid_channels[0])
        slots.append(Slot(path, key, shape, torch_shape, grid))
    return slots


def torch_key(path: tuple[str, ...]) -> str:
    """Name of a parameter in a state dict: each ``_`` before an index at the end of a module's name is a dot.

    >>> torch_key(("params", "layer1_0", "conv1", "kernel"))
    'layer1.0.conv1.weight'
    >>> torch_key(("params", "features_0_1", "scale"))
    'features.0.1.weight'
    """
    modules = [re.sub(r"(_\d+)+$", lambda match: match[0].replace("_", "."), module) for module in path[1:-1]]
    return ".".join([*modules, _LEAVES.get(path[-1], path[-1])])


def canonical(
    tensors: Mapping[str, np.ndarray],
    expected: Mapping[str, tuple[int, ...]],
    families: Sequence[Family],
) -> dict[str, np.ndarray]:
    """Renames the tensors of a state dict as the families do, as far as they know the other names.

    Drops BatchNorm's step counters.

    Args:
        tensors: The file's tensors by name.
        expected: The names that the target has, and the shapes of their tensors.
        families: Those whose aliases are understood.
    """
    aliases: dict[str, list[str]] = {}
    for family in families:
        for other, name_here in family.aliases.items():
            aliases.setdefault(other, []).append(name_here)
    renamed = {}
    for name, tensor in tensors.items():
        if name.endswith("num_batches_tracked"):
            continue
        layer, _, leaf = name.rpartition(".")
        others = [*aliases.get(name, ()), *(f"{ours}.{leaf}" for ours in aliases.get(layer, ()))]
        ours = next((other for other in others if other in expected), None)
        if name not in expected and ours is not None:
            name, shape = ours, expected[ours]
            # A convolution over the whole grid is a dense layer, a scale may have axes of 1: a state dict's
            # order is the same.
            if tensor.size == math.prod(shape) and tensor.shape[:1] == shape[:1]:
                tensor = tensor.reshape(shape)
        renamed[name] = tensor
    return renamed
