"""How well each concept describes each unit: P [N, M] and activations [N, K] -> scores S [K, M].

The formulas are those of CLIP-Dissect's official code (Oikarinen and Weng, ICLR 2023), which DISCOVER uses.
Scores of different similarities, layers or concept sets must not be compared. Nothing of the size K x N x M
is ever held: one unit at a time, or one block of concepts.
"""

from collections.abc import Callable, Iterator
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jaxpath.discover.embeddings import Cosines
from jaxpath.finite import check
from jaxpath.types import InputError

Concepts = Array | np.ndarray | Cosines
"""P [N, M], or its factors."""

_EPS = 1e-7
"""Keeps logarithms of probabilities finite (official code)."""

_BLOCK = 2**24
"""Numbers in one block: 64 MB in float32."""


def soft_wpmi(
    P: Concepts,
    acts: Array | np.ndarray,
    *,
    a: float = 10.0,
    top_k: int = 100,
    lam: float = 1.0,
    p_start: float = 0.998,
    p_end: float = 0.97,
    won: Array | np.ndarray | None = None,
) -> Array:
    """Weighted pointwise mutual information of a concept and the soft set of a unit's ``top_k`` images.

    With Pi = softmax over the concepts of a P, and w_r falling from p_start towards p_end with an image's
    rank r: L = sum_r log(1 + w_r (Pi - 1) + 1e-7) and S = L - lam (logsumexp over the units of L - log K).
    The prior in the bracket is over the units of this call, so a score depends on which units are passed:
    score a whole layer, then look at some of its units. ``a`` suits CLIP's cosines.

    The order of the images decides nothing: where the set would end among equal activations, such as the
    zeros of a rectified unit that few images excite, none of these is in it. L is then scaled to ``top_k``
    images, and a unit whose set is empty has NaN for every concept. This is our choice; the official code
    takes the first of equal ones.

    Args:
        P: Concept matrix [N, M].
        acts: [N, K], in the same order of images.
        a: Sharpness of the softmax.
        top_k: Images that a unit's set holds.
        lam: Weight of the prior; one unit and lam = 1 give 0.
        p_start: Membership of the first image.
        p_end: Membership that the last one nearly falls to.
        won: bool [N, K]; an image in which a unit did not win its competition is left out of its set.
            Without it, the zeros of losers come before the negative values of winners.

    Raises:
        InputError: Shapes do not match, ``top_k`` is above N, or an activation is not finite.
    """
    weights = p_start - np.arange(top_k) / top_k * (p_start - p_end)
    return _information(P, acts, weights, a=a, lam=lam, won=won)


def wpmi(
    P: Concepts,
    acts: Array | np.ndarray,
    *,
    a: float = 2.0,
    top_k: int = 28,
    lam: float = 0.6,
    won: Array | np.ndarray | None = None,
) -> Array:
    """:func:`soft_wpmi` with a hard set: L = sum_r log(Pi + 1e-7)."""
    return _information(P, acts, np.ones(top_k), a=a, lam=lam, won=won)


def cosine(P: Concepts, acts: Array | np.ndarray) -> Array:
    """Cosine of a concept's column and a unit's over the images; NaN for a unit that is 0 everywhere."""
    acts = _check(P, acts)
    units = acts / jnp.linalg.norm(acts, axis=0, keepdims=True)
    return _by_concepts(P, partial(_cosine_block, units))


def cosine_cubed(P: Concepts, acts: Array | np.ndarray, *, floor: float = 1e-3) -> Array:
    """Cosine of the cubes of both columns less their means: large values decide.

    Args:
        P: Concept matrix [N, M].
        acts: [N, K].
        floor: Smallest norm that divides. With few images or little spread it is reached, and concepts are
            then scaled unequally.
    """
    units = _cubes(_check(P, acts), floor)
    return _by_concepts(P, partial(_cubed_block, units, floor=floor))


def rank_reorder(
    P: Concepts,
    acts: Array | np.ndarray,
    *,
    key: Array,
    p: float = 3,
    top_fraction: float = 0.05,
    scale_p: float = 0.5,
) -> Array:
    """How little a unit's largest activations change when its images are ordered by the concept instead.

    S = -err / avg^scale_p, with err the mean of |t - reordered t|^p over the images of the ``top_fraction``
    largest activations t, divided by the same under five random orders, and avg the mean of P on them. Where
    the images would end among equal activations, none of these counts, as in :func:`soft_wpmi`.

    Args:
        P: Concept matrix [N, M]; its means over a unit's images must be positive.
        acts: [N, K].
        key: Of the random orders, drawn anew for each unit. They change a unit's scores by one factor.
        p: Power of a difference.
        top_fraction: Share of the images.
        scale_p: Power of the mean.

    Raises:
        InputError: A mean is not positive, or the share is less than one image.
    """
    acts = _check(P, acts)
    count = int(top_fraction * len(acts))
    if count < 1:
        raise InputError(
            f"{top_fraction:g} of {len(acts)} images is less than one; expected a larger top_fraction or "
            "more images"
        )
    values, rows, members = _largest(acts, count, None)
    keys = jax.random.split(key, acts.shape[1])
    errors, means = (
        jnp.concatenate(part, axis=1)
        for part in zip(
            *(_reorder_block(c, values, rows, members, keys, p) for c in _columns(P)), strict=True
        )
    )
    smallest = float(means.min(where=~jnp.isnan(means), initial=jnp.inf))
    if smallest <= 0:
        raise InputError(
            f"a concept's mean cosine with a unit's images is {smallest:.3g}, and rank_reorder "
            "takes its root; expected positive ones: add a constant to P, or choose another similarity"
        )
    return -errors / means**scale_p


def jensen_shannon(P: Concepts, acts: Array | np.ndarray, *, alpha: float = 10.0, beta: float = 1.0) -> Array:
    """1 - JSD in bits of two distributions over the images, in [0, 1]. Experimental, our reading.

    The official code announces such a similarity and does not hold it. Here p = softmax(alpha P) of a concept
    and q = softmax(beta acts) of a unit, both over the images. With alpha = 1, cosines are nearly uniform.
    The time grows with N K M.
    """
    acts = _check(P, acts)
    units = jax.nn.softmax(beta * acts, axis=0)
    return _by_concepts(P, partial(_jensen_shannon_block, units, alpha=alpha))


SIMILARITIES: dict[str, Callable[..., Array]] = {
    "soft_wpmi": soft_wpmi,
    "wpmi": wpmi,
    "rank_reorder": rank_reorder,
    "cosine": cosine,
    "cosine_cubed": cosine_cubed,
    "jensen_shannon": jensen_shannon,
}
"""By name."""


def _information(P, acts, weights, *, a, lam, won) -> Array:
    acts, top_k = _check(P, acts), len(weights)
    if not 1 <= top_k <= len(acts):
        raise InputError(
            f"top_k is {top_k} and there are {len(acts)} images; expected a number from 1 to {len(acts)}: "
            "take more images, or set it (--top-k)"
        )
    _, rows, members = _largest(acts, top_k, won)
    sizes = members.sum(axis=1, keepdims=True)
    # 1 - w in float64: in float32, 1 + w (Pi - 1) would lose three digits.
    memberships = jnp.asarray(np.stack([weights, 1 - weights + _EPS]), jnp.float32)
    group = max(1, min(64, _BLOCK // (top_k * P.shape[1])))
    logs = jnp.concatenate(
        [
            _likelihoods(_rows(P, rows[i : i + group]), members[i : i + group], memberships, a)
            for i in range(0, len(rows), group)
        ]
    )
    logs = logs * top_k / jnp.maximum(sizes, 1)
    judged = sizes > 0
    prior = jax.nn.logsumexp(logs, axis=0, keepdims=True, where=judged) - jnp.log(judged.sum())
    return jnp.where(judged, logs - lam * prior, jnp.nan)


@jax.jit
def _likelihoods(cosines: Array, members: Array, memberships: Array, a: float) -> Array:
    """Cosines [k, top_k, M] of the images of k units -> L [k, M]."""

    def one(cosines: Array, members: Array) -> Array:
        shares = jax.nn.softmax(a * cosines, axis=1)
        logs = jnp.log(memberships[0, :, None] * shares + memberships[1, :, None])
        return jnp.where(members[:, None], logs, 0).sum(axis=0)

    return lax.map(lambda unit: one(*unit), (cosines, members))


def _largest(acts: Array, count: int, won: Any) -> tuple[Array, Array, Array]:
    """Largest activations of each unit, the images that hold them, and whether these count: [K, count].

    They do if the unit won there and if they are larger than the first one that has no place any more.
    """
    ranked = acts if won is None else jnp.where(jnp.asarray(won, bool), acts, -jnp.inf)
    block, taken = max(1, _BLOCK // len(acts)), min(count + 1, len(acts))
    parts = [lax.top_k(ranked[:, start : start + block].T, taken) for start in range(0, acts.shape[1], block)]
    values, rows = (jnp.concatenate(part) for part in zip(*parts, strict=True))
    beyond = values[:, count:] if taken > count else jnp.full((len(values), 1), -jnp.inf)
    return values[:, :count], rows[:, :count], values[:, :count] > beyond


@jax.jit
def _cosine_block(units: Array, columns: Array) -> Array:
    return units.T @ (columns / jnp.linalg.norm(columns, axis=0, keepdims=True))


@partial(jax.jit, static_argnames="floor")
def _cubed_block(units: Array, columns: Array, *, floor: float) -> Array:
    return units.T @ _cubes(columns, floor)


def _cubes(columns: Array, floor: float) -> Array:
    """Columns less their mean, cubed, of length 1 unless they are shorter than ``floor``."""
    cubes = (columns - columns.mean(axis=0, keepdims=True)) ** 3
    return cubes / jnp.maximum(jnp.linalg.norm(cubes, axis=0, keepdims=True), floor)


@partial(jax.jit, static_argnames="p")
def _reorder_block(
    columns: Array, values: Array, rows: Array, members: Array, keys: Array, p: float
) -> tuple[Array, Array]:
    """Errors and mean cosines [K, m] of a block of concepts; NaN for a unit without images that count."""

    def one(unit: tuple[Array, Array, Array, Array]) -> tuple[Array, Array]:
        largest, places, counts, key = unit
        rising, counts = largest[::-1], counts[:, None]
        cosines = columns[places]  # [count, m]
        # What does not count comes last, where its activations are: they are equal, so it makes no error.
        ranks = jnp.where(counts, cosines, -jnp.inf).argsort(axis=0).argsort(axis=0)
        error = (jnp.abs(largest[:, None] - rising[ranks]) ** p).mean(axis=0)
        orders = jax.vmap(lambda one: jax.random.permutation(one, rising))(jax.random.split(key, 5))
        base = (jnp.abs(rising[None] - orders) ** p).mean()
        return error / base, jnp.where(counts, cosines, 0).sum(axis=0) / counts.sum()

    return lax.map(one, (values, rows, members, keys))


@partial(jax.jit, static_argnames="alpha")
def _jensen_shannon_block(units: Array, columns: Array, *, alpha: float) -> Array:
    concepts = jax.nn.softmax(alpha * columns, axis=0)  # [N, m]

    def divergence(p: Array, r: Array) -> Array:
        return jax.scipy.special.xlogy(p, p / r).sum(axis=0)

    def one(q: Array) -> Array:
        q = q[:, None]
        middle = (concepts + q) / 2
        return 1 - (divergence(concepts, middle) + divergence(q, middle)) / (2 * np.log(2))

    return lax.map(one, units.T)


def _by_concepts(P: Concepts, score: Callable[[Array], Array]) -> Array:
    """Scores of all concepts, block by block."""
    return jnp.concatenate([score(columns) for columns in _columns(P)], axis=1)


def _columns(P: Concepts) -> Iterator[Array]:
    """Blocks of columns of P, [N, m]."""
    count, total = P.shape
    block = max(1, _BLOCK // count)
    for start in range(0, total, block):
        if isinstance(P, Cosines):
            yield _product(P.images, P.texts[start : start + block])
        else:
            yield _finite(jnp.asarray(P[:, start : start + block], jnp.float32))


def _rows(P: Concepts, rows: Array) -> Array:
    """Rows of P for each of k units, [k, top_k, M]."""
    if isinstance(P, Cosines):
        return _product(P.images[rows], P.texts)
    # On the host, so that a matrix in a memory-mapped file is read row by row.
    return _finite(jnp.asarray(P[np.asarray(rows)] if isinstance(P, np.ndarray) else P[rows], jnp.float32))


def _finite(cosines: Array) -> Array:
    check("numbers of the concept matrix", cosines)
    return cosines


@jax.jit
def _product(images: Array, texts: Array) -> Array:
    return images @ texts.T


def _check(P: Concepts, acts: Array | np.ndarray) -> Array:
    """The activations in float32, if they go with P."""
    acts = jnp.asarray(acts, jnp.float32)
    if len(P.shape) != 2 or acts.ndim != 2 or len(acts) != P.shape[0] or 0 in (*P.shape, *acts.shape):
        raise InputError(
            f"the concept matrix has the shape {tuple(P.shape)} and the activations {acts.shape}; expected "
            "[N, M] and [N, K], one row per image in the same order"
        )
    check("activations", acts)
    return acts
