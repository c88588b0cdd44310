"""Which target a weights file belongs to."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from jaxpath.targets import registry
from jaxpath.targets.family import Shapes
from jaxpath.targets.weight_files import local_file, read_target_name, read_tensors


class WeightsDescription(NamedTuple):
    """What a weights file says about its target; None where it does not tell.

    Attributes:
        name: Name of the target.
        num_classes: K, the rows of the last dense layer.
        channels: Of an image, the inputs of the first convolution.
    """

    name: str | None
    num_classes: int | None
    channels: int | None


def recognise(shapes: Shapes) -> str | None:
    """Name of the target that a state dict's names and shapes belong to, None if it is none of ours.

    >>> recognise({f"layer{i}.0.conv1.weight": (16, 16, 3, 3) for i in (1, 2, 3)})
    'resnet8'
    """
    for family in registry.FAMILIES:
        name = family.recognise(shapes)
        if name in family.makers:
            return name
    return None


def describe_weights(path: str | Path) -> WeightsDescription:
    """Looks into a weights file: at the name that ``save_weights`` left, else at names and shapes of tensors.

    Competing units have no parameters, so that only the name tells of them.

    Args:
        path: As for :func:`~jaxpath.targets.load_weights`.

    Raises:
        InputError: The file is missing or cannot be read.
    """
    file = local_file(path)
    tensors = read_tensors(file)
    shapes = {key.removeprefix("module."): tensor.shape for key, tensor in tensors.items()}
    name = read_target_name(file) or recognise(shapes)
    families = registry.FAMILIES if name is None else registry.families_of(name)
    first = _shape_of(shapes, (layer for family in families for layer in family.spellings(family.first)))
    last = _shape_of(shapes, (layer for family in families for layer in family.spellings(family.last)))
    return WeightsDescription(name, last[0] if last else None, first[1] if first else None)


def _shape_of(shapes: Shapes, layers: Iterable[str]) -> tuple[int, ...] | None:
    """The weight's shape of the first of the layers that there is."""
    keys = [f"{layer}.weight" for layer in layers]
    return next((tuple(shapes[key]) for key in keys if key in shapes), None)
