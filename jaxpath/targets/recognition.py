"""Which target a weights file belongs to."""

from pathlib import Path
from typing import NamedTuple

from jaxpath.targets.torch_names import recognise
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
    shapes = {name.removeprefix("module."): tensor.shape for name, tensor in tensors.items()}
    last = next((shapes[f"{layer}.weight"] for layer in _LAST_LAYERS if f"{layer}.weight" in shapes), None)
    first = next((shapes[layer] for layer in _FIRST_LAYERS if layer in shapes), None)
    return WeightsDescription(
        read_target_name(file) or recognise(shapes),
        None if last is None else last[0],
        None if first is None else first[1],
    )


_LAST_LAYERS = ("fc", "linear", "classifier.6", "head.fc", "head", "classifier.2")
_FIRST_LAYERS = ("conv1.weight", "features.0.weight", "patch_embed.proj.weight")
