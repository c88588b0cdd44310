"""How a target's parameters are called and laid out in PyTorch's files.

Submodules carry torchvision's names, so one rule serves every family: ``layer1_0/conv1/kernel`` is
``layer1.0.conv1.weight``. Other projects' names are aliases of these.
"""

import re
from collections.abc import Collection, Mapping, Sequence
from typing import NamedTuple

import jax
import numpy as np
from flax.traverse_util import flatten_dict

from jaxpath.types import Target

_LEAVES = {
    "kernel": "weight",
    "scale": "weight",
    "bias": "bias",
    "mean": "running_mean",
    "var": "running_var",
}

_TIMM_VGG = {
    "pre_logits.fc1.": "classifier.0.",
    "pre_logits.fc2.": "classifier.3.",
    "head.fc.": "classifier.6.",
}
"""timm's names of the dense layers of a VGG -> torchvision's."""

_AFTER_FLATTENING = "classifier.0.weight"
"""The kernel that multiplies a flattened grid: channels are outermost in PyTorch, innermost here."""

_IMAGENET_RESNETS: dict[tuple[bool, tuple[int, ...]], str] = {
    (False, (2, 2, 2, 2)): "resnet18",
    (False, (3, 4, 6, 3)): "resnet34",
    (True, (3, 4, 6, 3)): "resnet50",
    (True, (3, 4, 23, 3)): "resnet101",
    (True, (3, 8, 36, 3)): "resnet152",
}
"""(bottleneck blocks, blocks per stage) -> name."""

_SMALL = {(2, 0): "lenet", (3, 0): "digit_cnn"}
"""(convolutions, norms) of the classifiers of digits -> name."""

_DEITS = {192: "deit_tiny", 384: "deit_small"}
"""Width of a token -> name."""


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
    slots = []
    for path, leaf in shapes.items():
        key, shape, grid = torch_key(path), tuple(leaf.shape), None
        torch_shape = (shape[3], shape[2], *shape[:2]) if len(shape) == 4 else shape
        torch_shape = shape[::-1] if len(shape) == 2 else torch_shape
        if key == _AFTER_FLATTENING and grid_channels:
            side = round((shape[0] // grid_channels[0]) ** 0.5)
            grid = (side, side, grid_channels[0])
        slots.append(Slot(path, key, shape, torch_shape, grid))
    return slots


def torch_key(path: tuple[str, ...]) -> str:
    """Name of a parameter in a state dict.

    >>> torch_key(("params", "layer1_0", "conv1", "kernel"))
    'layer1.0.conv1.weight'
    """
    modules = [re.sub(r"_(\d+)$", r".\1", module) for module in path[1:-1]]
    return ".".join([*modules, _LEAVES.get(path[-1], path[-1])])


def canonical(tensors: Mapping[str, np.ndarray], expected: Collection[str]) -> dict[str, np.ndarray]:
    """Renames the tensors of a state dict as torchvision does, as far as they are known.

    Drops BatchNorm's step counters and the prefix of ``torch.nn.DataParallel``; knows timm's VGGs,
    whose dense layers are convolutions, and a classifier called ``fc`` instead of ``linear`` or the
    other way round.

    Args:
        tensors: The file's tensors by name.
        expected: The names that the target has.
    """
    wrapped = all(key.startswith("module.") for key in tensors)
    renamed = {}
    for key, tensor in tensors.items():
        name = key.removeprefix("module.") if wrapped else key
        if name.endswith("num_batches_tracked"):
            continue
        for other, ours in _TIMM_VGG.items():
            if name.startswith(other) and ours + "weight" in expected:
                name = name.replace(other, ours, 1)
                # A convolution over the whole grid is a dense layer; a state dict's order is the same.
                tensor = tensor.reshape(tensor.shape[0], -1) if tensor.ndim == 4 else tensor
        for other, ours in (("fc.", "linear."), ("linear.", "fc.")):
            if name.startswith(other) and name not in expected and ours + "weight" in expected:
                name = name.replace(other, ours, 1)
        renamed[name] = tensor
    return renamed


def recognise(keys: Mapping[str, Sequence[int]]) -> str | None:
    """Name of the architecture that a state dict's names and shapes belong to, None if it is none of ours.

    >>> recognise({f"layer{i}.0.conv1.weight": (16, 16, 3, 3) for i in (1, 2, 3)})
    'resnet8'
    """
    if "cls_token" in keys:
        return _DEITS.get(tuple(keys["cls_token"])[-1])
    convolutions = sum(re.fullmatch(r"features\.\d+\.weight", key) is not None for key in keys)
    norms = sum(re.fullmatch(r"features\.\d+\.running_mean", key) is not None for key in keys)
    depth = {8: 11, 10: 13, 13: 16, 16: 19}.get(convolutions - norms)
    if depth:
        return f"vgg{depth}_bn" if norms else f"vgg{depth}"
    # FLINT's two classifiers: two convolutions and no norm, and residual blocks before two dense layers.
    if (convolutions, norms) in _SMALL:
        return _SMALL[convolutions, norms]
    if {"layer1_0_conv1.weight", "fc2.weight"} <= set(keys):
        return "resnet18_normless"
    blocks = {match.groups() for key in keys if (match := re.match(r"layer(\d+)\.(\d+)\.", key))}
    stages = [stage for stage, _ in blocks]
    sizes = tuple(stages.count(stage) for stage in sorted(set(stages)))
    if len(sizes) == 3 and len(set(sizes)) == 1:
        return f"resnet{6 * sizes[0] + 2}"
    return _IMAGENET_RESNETS.get(("layer1.0.conv3.weight" in keys, sizes))
