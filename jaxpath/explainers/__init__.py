"""Baselines: pathways from scores that come from the target itself, without training.

Every maker takes ``(target, *, density, granularity="channel")`` and returns an
:class:`~jaxpath.types.Explainer` whose masks have exactly that density.
"""

from collections.abc import Callable
from typing import Any

from jaxpath.explainers.attribution import (
    integrated_gradients,
    make_activation,
    make_constant,
    make_integrated_gradients,
    make_random,
    make_taylor,
    make_taylor_signed,
)
from jaxpath.explainers.saliency import pathway_saliency, pixel_gradient
from jaxpath.explainers.scoring import Granularity, make_cut
from jaxpath.explainers.search import make_dgr, make_greedy, make_refined
from jaxpath.types import Explainer, InputError, Target

__all__ = [
    "Granularity",
    "integrated_gradients",
    "make_activation",
    "make_constant",
    "make_cut",
    "make_dgr",
    "make_explainer",
    "make_greedy",
    "make_integrated_gradients",
    "make_random",
    "make_refined",
    "make_taylor",
    "make_taylor_signed",
    "names",
    "pathway_saliency",
    "pixel_gradient",
]

_MAKERS: dict[str, Callable[..., Explainer]] = {
    "random": make_random,
    "constant": make_constant,
    "activation": make_activation,
    "taylor": make_taylor,
    "taylor_signed": make_taylor_signed,
    "integrated_gradients": make_integrated_gradients,
    "greedy": make_greedy,
    "dgr": make_dgr,
}


def names() -> tuple[str, ...]:
    """Returns the names that :func:`make_explainer` knows.

    >>> "taylor_signed" in names()
    True
    """
    return tuple(_MAKERS)


def make_explainer(name: str, target: Target, **options: Any) -> Explainer:
    """Makes a baseline by its name.

    Args:
        name: One of :func:`names`.
        target: The classifier.
        **options: ``density``, ``granularity`` and the maker's own.

    Raises:
        InputError: There is no baseline of that name.
    """
    if name not in _MAKERS:
        raise InputError(f"there is no explainer named {name!r}; choose one of {', '.join(names())}")
    return _MAKERS[name](target, **options)
