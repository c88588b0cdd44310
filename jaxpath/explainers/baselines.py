"""The baselines by name: the one list that commands, experiments and the contract suite read.

Command lines are checked against it before JAX is loaded, so that makers are loaded when they are called.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, NamedTuple

from jaxpath.lazy import function_in
from jaxpath.registry import choose

if TYPE_CHECKING:
    from jaxpath.types import Explainer, Target


class Baseline(NamedTuple):
    """An explainer without training.

    Attributes:
        name: How it is asked for.
        make: ``make(target, *, density, granularity="channel") -> Explainer``.
        slow: Whether it takes tens or hundreds of passes per image; comparisons and references give it
            fewer.
        contrastive: Whether its maker takes ``references``, pictures of other classes, and does better with
            them than without.
        asks: Whether it explains the class that it is asked for; others see no class, or the predicted one.
    """

    name: str
    make: "Callable[..., Explainer]"
    slow: bool = False
    contrastive: bool = False
    asks: bool = True


def _maker(module: str, name: str) -> "Callable[..., Explainer]":
    return function_in(f"jaxpath.explainers.{module}", f"make_{name}")


_ALL = (
    Baseline("random", _maker("attribution", "random"), asks=False),
    Baseline("constant", _maker("attribution", "constant"), asks=False),
    Baseline("activation", _maker("attribution", "activation"), asks=False),
    Baseline("taylor", _maker("attribution", "taylor")),
    Baseline("taylor_signed", _maker("attribution", "taylor_signed")),
    Baseline("integrated_gradients", _maker("attribution", "integrated_gradients"), slow=True),
    Baseline("greedy", _maker("search", "greedy"), slow=True),
    Baseline("dgr", _maker("search", "dgr"), slow=True, asks=False),
    Baseline("contrastive", _maker("contrastive", "contrastive"), slow=True, contrastive=True),
)

BASELINES = {baseline.name: baseline for baseline in _ALL}
"""Name -> baseline."""


def names() -> tuple[str, ...]:
    """Returns the names that :func:`make_explainer` knows.

    >>> "taylor_signed" in names()
    True
    """
    return tuple(BASELINES)


def make_explainer(name: str, target: "Target", **options: Any) -> "Explainer":
    """Makes a baseline by its name.

    Args:
        name: One of :func:`names`.
        target: The classifier.
        **options: ``density``, ``granularity`` and the maker's own.

    Raises:
        InputError: There is no baseline of that name.

    >>> import jax
    >>> from jaxpath import targets
    >>> target = targets.resnet8(image_size=8, channels=1)
    >>> explain = make_explainer("taylor_signed", target, density=0.2)
    >>> params = jax.eval_shape(target.init, jax.random.key(0))  # shapes alone: nothing is computed
    >>> images, labels = jax.numpy.zeros((2, 8, 8, 1)), jax.numpy.array([3, 7])
    >>> pathways = jax.eval_shape(explain, params, images, labels, key=jax.random.key(0))
    >>> pathways.masks["000.relu"].shape
    (2, 16)
    """
    return choose(BASELINES, name, kind="explainer").make(target, **options)
