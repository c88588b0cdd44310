"""The entry by which a network's own file makes it known: its makers, and how its weights are called."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from jaxpath.types import Target

Shapes = Mapping[str, Sequence[int]]
"""The tensors of a state dict: name -> shape in PyTorch's layout."""


class Released(NamedTuple):
    """Published weights that go by the name of their network.

    Attributes:
        address: ``hf://owner/name``, or ``https://`` and so on.
        origin: Who trained and published them.
        license: Under which licence, by SPDX, as the publisher says.
        classes: What the classes are: a name that :func:`jaxpath.data.known_names` takes.
        sha256: SHA-256 of the file, or its first digits, as the publisher says; empty if nobody does.
    """

    address: str
    origin: str
    license: str
    classes: str = "imagenet"
    sha256: str = ""


class Family(NamedTuple):
    """Networks of one kind, and how their weights are called in PyTorch's files.

    Layers are named as in a state dict, without ``.weight``.

    Attributes:
        makers: Name of a target -> its maker, which takes keywords only.
        recognise: Returns the name of the target that a state dict belongs to, by its names and shapes; None
            if it belongs to another family.
        first: The layer that reads the image; its inputs are the image's channels.
        last: The classifier; its outputs are the classes.
        aliases: Another project's name of a layer, or of a tensor in full -> the name here.
        flattened: The dense layer that reads a flattened grid, if one does. PyTorch flattens [C, H, W],
            Flax [H, W, C].
        published: timm's name of a network that computes the same function -> the name here.
        twins: Name of a target -> the one whose tensors it has, as which its weights are recognised.
        released: Name of a target -> the weights that are meant by it.
    """

    makers: Mapping[str, Callable[..., Target]]
    recognise: Callable[[Shapes], str | None]
    first: str
    last: str
    aliases: Mapping[str, str] = {}
    flattened: str | None = None
    published: Mapping[str, str] = {}
    twins: Mapping[str, str] = {}
    released: Mapping[str, Released] = {}

    def spellings(self, layer: str) -> tuple[str, ...]:
        """The names of a layer: the one here, then its aliases."""
        return layer, *(other for other, ours in self.aliases.items() if ours == layer)


def count_features(shapes: Shapes) -> tuple[int, int]:
    """The convolutions and the norms among the layers ``features.0``, ``features.1`` and so on.

    >>> norm = {"features.1.weight": (8,), "features.1.running_mean": (8,)}
    >>> count_features({"features.0.weight": (8, 3, 3, 3), **norm})
    (1, 1)
    """
    weights = sum(re.fullmatch(r"features\.\d+\.weight", key) is not None for key in shapes)
    norms = sum(re.fullmatch(r"features\.\d+\.running_mean", key) is not None for key in shapes)
    return weights - norms, norms
