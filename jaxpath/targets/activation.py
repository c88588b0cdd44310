"""What a network does at its sites: here one function of every unit; competition is in ``lwta.py``."""

from collections.abc import Callable
from typing import Protocol

from jax import Array

from jaxpath.gating import Taps
from jaxpath.types import Competition


class Activation(Protocol):
    """Every activation of one forward pass, tapped. A network makes one of these per call."""

    def __call__(self, h: Array, place: str = "", number: int | str = "") -> Array:
        """Passes ``h`` [B, ..., C] on; the site is called ``place.relu1``, after what happens there."""
        ...

    @property
    def competition(self) -> dict[str, Competition]:
        """Who won, by site; empty where nobody competes."""
        ...


class Pointwise:
    """The ordinary network: the same function of every unit, such as a ReLU.

    Args:
        taps: Of the same call.
        function: Its name is part of the sites' names, as in ``"004.layer1.1.relu2"``.
    """

    def __init__(self, taps: Taps, function: Callable[[Array], Array]) -> None:
        self._taps, self._function = taps, function

    def __call__(self, h: Array, place: str = "", number: int | str = "") -> Array:
        """Applies the function; see :class:`Activation`."""
        return self._taps(join(place, f"{self._function.__name__}{number}"), self._function(h))

    @property
    def competition(self) -> dict[str, Competition]:
        """Nobody competes."""
        return {}


def join(place: str, name: str) -> str:
    """The name of an activation at a place.

    >>> join("layer1.0", "relu1"), join("", "relu")
    ('layer1.0.relu1', 'relu')
    """
    return f"{place}.{name}" if place else name
