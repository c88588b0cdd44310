"""Which target a weights file belongs to."""

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from jaxpath.targets import registry
from jaxpath.targets.family import Shapes
from jaxpath.targets.headers import WeightsHeader, read_header
from jaxpath.targets.model_config import ModelConfig, find_config
from jaxpath.targets.weight_files import Contents, read_contents
from jaxpath.types import Preprocessing


class WeightsDescription(NamedTuple):
    """What a weights file says about its target; None where it does not tell.

    Attributes:
        name: Name of the target.
        num_classes: K: as the file says, else the rows of the last dense layer.
        channels: Of an image, the inputs of the first convolution.
        preprocessing: How pictures become inputs, by the header that ``save_weights`` wrote or by timm's
            ``config.json``.
        class_names: One name per class, by the same; empty if nobody named them.
        source: Who says it, in words; empty if only names and shapes of tensors do.
        state: Which of the file's states is taken; see :func:`~jaxpath.targets.load_weights`.
        other_states: The others, each with "(averaged)" if it is an average.
        is_ours: Whether ``save_weights`` wrote the file; then its preprocessing is what it was trained with.
        config: What ``config.json`` says, if it counts.
    """

    name: str | None
    num_classes: int | None
    channels: int | None
    preprocessing: Preprocessing | None = None
    class_names: tuple[str, ...] = ()
    source: str = ""
    state: str = "."
    other_states: tuple[str, ...] = ()
    is_ours: bool = False
    config: ModelConfig | None = None


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


def is_known(shapes: Shapes) -> bool:
    """Whether a state dict is that of a network of the library."""
    return recognise(shapes) is not None


def describe_weights(path: str | Path, *, state: str | None = None) -> WeightsDescription:
    """Looks into a weights file: at the header of ``save_weights``, else at ``config.json`` and the tensors.

    Names and shapes of tensors do not tell everything: competing units have no parameters, nor have other
    poolings, and preprocessing is in no tensor.

    Args:
        path: As for :func:`~jaxpath.targets.load_weights`; a ``config.json`` in timm's form counts if it lies
            beside the file, or in the repository of ``hf://owner/name``.
        state: As for :func:`~jaxpath.targets.load_weights`.

    Raises:
        InputError: The file is missing or cannot be read; or ``config.json`` names a network that is none of
            the library's, although its tensors may be called the same.
    """
    contents = read_contents(path, is_known, state=state)
    header = read_header(contents.words, str(path))
    config = find_config(path) if header is None else None
    by_tensors = _by_tensors(contents, header.target if header else config.name if config else None)
    if header is not None:
        return _by_header(by_tensors, header)
    return by_tensors if config is None else _by_config(by_tensors, config)


def _by_tensors(contents: Contents, name: str | None) -> WeightsDescription:
    shapes = contents.state.shapes
    name = name or recognise(shapes)
    families = registry.FAMILIES if name is None else registry.families_of(name)
    first = _shape_of(shapes, (layer for family in families for layer in family.spellings(family.first)))
    last = _shape_of(shapes, (layer for family in families for layer in family.spellings(family.last)))
    return WeightsDescription(
        name,
        last[0] if last else None,
        first[1] if first and len(first) > 1 else None,
        state=contents.state.name,
        other_states=tuple(state.said for state in contents.states if state != contents.state),
    )


def _by_header(described: WeightsDescription, header: WeightsHeader) -> WeightsDescription:
    return described._replace(
        num_classes=header.num_classes or described.num_classes,
        preprocessing=header.preprocessing,
        class_names=header.class_names,
        source="the weights" if header.preprocessing else "",
        is_ours=True,
    )


def _by_config(described: WeightsDescription, config: ModelConfig) -> WeightsDescription:
    return described._replace(
        num_classes=config.num_classes or described.num_classes,
        channels=described.channels or config.channels,
        preprocessing=config.preprocessing(),
        class_names=config.class_names,
        source=config.source,
        config=config,
    )


def _shape_of(shapes: Shapes, layers: Iterable[str]) -> tuple[int, ...] | None:
    """The weight's shape of the first of the layers that there is."""
    keys = [f"{layer}.weight" for layer in layers]
    return next((tuple(shapes[key]) for key in keys if shapes.get(key)), None)
