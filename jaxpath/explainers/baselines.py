"""The baselines by name: the one list that commands, experiments and the contract suite read."""

from collections.abc import Callable
from typing import Any, NamedTuple

from jaxpath.choices import CLASSLESS
from jaxpath.explainers.attribution import (
    make_activation,
    make_constant,
    make_integrated_gradients,
    make_random,
    make_taylor,
    make_taylor_signed,
)
from jaxpath.explainers.contrastive import make_contrastive
from jaxpath.explainers.search import make_dgr, make_greedy
from jaxpath.registry import choose
from jaxpath.types import Explainer, Target


class Baseline(NamedTuple):
    """An explainer without training.

    Attributes:
        name: How it is asked for.
        make: ``make(target, *, density, granularity="channel") -> Explainer``.
        slow: Whether it takes tens or hundreds of passes per image; comparisons give it fewer images.
        contrastive: Whether its maker takes ``references``, pictures of other classes, and does better with
            them than without.
    """

    name: str
    make: Callable[..., Explainer]
    slow: bool = False
    contrastive: bool = False

    @property
    def asks(self) -> bool:
        """Whether it explains the class that it is asked for; others see no class, or the predicted one."""
        return self.name not in CLASSLESS


_ALL = (
    Baseline("random", make_random),
    Baseline("constant", make_constant),
    Baseline("activation", make_activation),
    Baseline("taylor", make_taylor),
    Baseline("taylor_signed", make_taylor_signed),
    Baseline("integrated_gradients", make_integrated_gradients, slow=True),
    Baseline("greedy", make_greedy, slow=True),
    Baseline("dgr", make_dgr, slow=True),
    Baseline("contrastive", make_contrastive, slow=True, contrastive=True),
)

BASELINES = {baseline.name: baseline for baseline in _ALL}
"""Name -> baseline."""


def names() -> tuple[str, ...]:
    """Returns the names that :func:`make_explainer` knows.

    >>> "taylor_signed" in names()
    True
    """
    return tuple(BASELINES)


def make_explainer(name: str, target: Target, **options: Any) -> Explainer:
    """Makes a baseline by its name.

    Args:
        name: One of :func:`names`.
        target: The classifier.
        **options: ``density``, ``granularity`` and the maker's own.

    Raises:
        InputError: There is no baseline of that name.
    """
    return choose(BASELINES, name, kind="explainer").make(target, **options)
