"""What the catalogue of published classifiers is made of."""

from collections.abc import Callable
from typing import Any, NamedTuple

from jax import Array

from jaxpath import Preprocessing
from jaxpath.types import Params, Target

CLASSES = 10

ONE_EACH = (1, 1, 1, 1)
"""Blocks in the four stages of a shallow network."""


class Adapted(NamedTuple):
    """A model that was adapted.

    Attributes:
        target: Of the adapter.
        forward: The model's own ``(params, images [B, H, W, C]) -> logits [B, K]``.
    """

    target: Target
    forward: Callable[[Params, Array], Array]


class Model(NamedTuple):
    """One published classifier.

    Attributes:
        name: Of the network.
        library: Who published it, and in what it is written.
        count: Its activations, counted by hand.
        shallow_count: Of the same layers, but fewer; None if the library offers no fewer.
        side: Of the images that it is tried with.
        make: Makes it for a preprocessing, shallow or as it was published.
    """

    name: str
    library: str
    count: int
    shallow_count: int | None
    side: int
    make: Callable[[Preprocessing, bool], Adapted]


MODELS: dict[str, Model] = {}
"""Key -> model."""


def model(
    key: str, name: str, library: str, count: int, *, shallow: int | None = None, side: int = 32
) -> Callable[[Any], Any]:
    """Enters a maker under its key."""

    def enter(make: Callable[[Preprocessing, bool], Adapted]) -> Callable[[Preprocessing, bool], Adapted]:
        MODELS[key] = Model(name, library, count, shallow, side, make)
        return make

    return enter
