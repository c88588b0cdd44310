"""Where the similarity of a unit's word stands among those that chance gives: pictures in a random order."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
from jax import Array

from jaxpath.discover.embeddings import Cosines
from jaxpath.discover.similarities import soft_wpmi, wpmi

_ROUNDING = 1e-6
"""Scores closer than this share of the unit's largest are equal."""

_MOST_NUMBERS = 2**25
"""Scores or activations that are held at once: 128 MB in float32."""

Similarity = Callable[..., Array]
"""``similarity(P, acts, **options) -> scores [K, M]``."""


def is_informed(similarity: Similarity) -> bool:
    """Whether a similarity is of pointwise information: it has a prior over units and knows which won."""
    return getattr(similarity, "func", similarity) in (soft_wpmi, wpmi)


def place_among_chance(
    similarity: Similarity,
    cosines: Cosines,
    acts: np.ndarray,
    index: np.ndarray,
    *,
    permutations: int,
    seed: int = 0,
    won: np.ndarray | None = None,
) -> np.ndarray:
    """Share of orders of the pictures that give some word a similarity as high as a unit's own word has, [K].

    A permutation test. The activations of a unit are given to the pictures in a random order, which keeps all
    of it but what its pictures show. The similarity of a concept is taken less its mean over the orders, as
    some concepts are similar to all pictures; of each random order the best concept counts, and of the order
    as it is the unit's word. That order is one of the ``permutations`` + 1, so that the smallest share is 1 /
    (``permutations`` + 1) (Phipson and Smyth 2010). A prior over units is left out, so that a unit is judged
    by its own pictures. The test is our choice; CLIP-Dissect has none.

    Args:
        similarity: The one that named the units, with its options.
        cosines: Of the pictures and the concepts.
        acts: [N, K].
        index: int [K], the concept of each unit.
        permutations: How many random orders.
        seed: Of these.
        won: bool [N, K]; see :func:`~jaxpath.discover.soft_wpmi`.

    Returns:
        [K]; NaN for a unit of which a score is no number.
    """
    if is_informed(similarity):
        similarity = partial(similarity, lam=0.0)
    count, num_units = acts.shape
    rng = np.random.default_rng(seed)
    orders = [np.arange(count), *(rng.permutation(count) for _ in range(permutations))]
    size = max(1, _MOST_NUMBERS // (len(orders) * max(count, cosines.shape[1])))
    shares = []
    for start in range(0, num_units, size):
        units = slice(start, start + size)
        scores = _in_every_order(
            similarity, cosines, acts[:, units], orders, won if won is None else won[:, units]
        )
        shares.append(_share_reached(scores, index[units]))
    return np.concatenate(shares)


def _in_every_order(
    similarity: Similarity,
    cosines: Cosines,
    acts: np.ndarray,
    orders: list[np.ndarray],
    won: np.ndarray | None,
) -> np.ndarray:
    """Scores under each order of the pictures, [orders, K, M]."""

    def beside(values: np.ndarray) -> np.ndarray:
        return np.concatenate([values[order] for order in orders], axis=1)

    options: dict[str, Any] = {} if won is None else {"won": beside(won)}
    scores = np.asarray(similarity(cosines, beside(acts), **options))
    return scores.reshape(len(orders), acts.shape[1], -1)


def _share_reached(scores: np.ndarray, index: np.ndarray) -> np.ndarray:
    """Share of orders [orders, K, M] whose best concept lies as far above its mean as a unit's own, [K]."""
    excess = scores - scores.mean(axis=0)
    own = np.take_along_axis(excess[0], index[:, None], axis=1)[:, 0]
    enough = own - _ROUNDING * np.abs(scores).max(axis=(0, 2))
    best = np.concatenate([own[None], excess[1:].max(axis=2)])
    return np.where(np.isfinite(own), (best >= enough).mean(axis=0), np.nan)
