"""Local attention pooling: averages whose weights follow a concept's score inside each window.

Our own design, after the abstract of Modegh et al. 2022, arXiv 2201.11808, which gives no formula. With p the
score of a concept, in each window

    u_i = exp(-alpha^2 (max_j p_j - p_i)^2),    a_i = u_i / (sum_i u_i + 1e-6),    y = sum_i a_i x_i

so that alpha = 0 is average pooling, a constant score is as well, and a large alpha takes the pixel of the
largest score. Everything is computed in float32.
"""

from collections.abc import Iterator, Sequence
from typing import Literal, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jaxpath.types import InputError

Padding = Literal["VALID", "SAME"] | Sequence[tuple[int, int]]
"""Pixels ((top, bottom), (left, right)) around a map; padded pixels take no part in any window."""

_GUARD = 1e-6
"""Added to sums of weights, of which the largest score's is 1: a guard only."""


def local_attention_pool(
    x: Array,
    p: Array,
    alpha: Array,
    *,
    window: tuple[int, int],
    stride: tuple[int, int] | None = None,
    padding: Padding = "VALID",
) -> tuple[Array, Array]:
    """Pools a map once for each concept.

    Args:
        x: Features [B, H, W, C].
        p: Scores in [0, 1], [B, H, W, K].
        alpha: Sharpness of each concept [K], not capped here.
        window: (height, width).
        stride: Between windows; None: windows side by side.
        padding: Around the map.

    Returns:
        Pooled features [B, H', W', K, C], of x's type, and pooled scores [B, H', W', K], float32.

    Raises:
        InputError: Features and scores have different sizes.
    """
    p = _scores_of(x, p)
    weights = window_attention(p, alpha, window=window, stride=stride, padding=padding)
    pooled = jnp.zeros(())
    for place, features in enumerate(_Windows(window, stride or window, padding).pixels(x)):
        pooled += weights[..., place, :, None] * features[..., None, :].astype(jnp.float32)
    return pooled.astype(x.dtype), pool_scores(p, alpha, window=window, stride=stride, padding=padding)


def merged_attention_pool(
    x: Array,
    p: Array,
    alpha: Array,
    *,
    window: tuple[int, int],
    stride: tuple[int, int] | None = None,
    padding: Padding = "VALID",
) -> Array:
    """The mean over concepts of :func:`local_attention_pool`'s features, [B, H', W', C].

    Concepts' weights are averaged first, so that it costs as much as one concept.
    """
    p = _scores_of(x, p)
    weights = window_attention(p, alpha, window=window, stride=stride, padding=padding).mean(axis=-1)
    pooled = jnp.zeros(())
    for place, features in enumerate(_Windows(window, stride or window, padding).pixels(x)):
        pooled += weights[..., place, None] * features.astype(jnp.float32)
    return pooled.astype(x.dtype)


def pool_scores(
    p: Array,
    alpha: Array,
    *,
    window: tuple[int, int],
    stride: tuple[int, int] | None = None,
    padding: Padding = "VALID",
) -> Array:
    """The scores [B, H, W, K] pooled by their own attention, [B, H', W', K]."""
    weights = window_attention(p, alpha, window=window, stride=stride, padding=padding)
    scores = _Windows(window, stride or window, padding).pixels(p.astype(jnp.float32))
    return (weights * jnp.stack(list(scores), axis=-2)).sum(axis=-2)


def window_attention(
    p: Array,
    alpha: Array,
    *,
    window: tuple[int, int],
    stride: tuple[int, int] | None = None,
    padding: Padding = "VALID",
) -> Array:
    """The weights a_i of every pixel of every window, [B, H, W, K] -> [B, H', W', h * w, K], row by row.

    They are at least 0 and sum to 1 (less 1e-6); those of padded pixels are 0.
    """
    p, windows = p.astype(jnp.float32), _Windows(window, stride or window, padding)
    scores = jnp.stack(list(windows.pixels(p)), axis=-2)
    inside = np.stack(list(windows.inside(p.shape)), axis=-2)
    return _attention(scores, alpha, axis=-2, where=inside)


def global_attention_pool(x: Array, p: Array, alpha: Array) -> tuple[Array, Array]:
    """:func:`local_attention_pool` with one window, the whole map: features [B, K, C], scores [B, K]."""
    p = _scores_of(x, p)
    weights = global_attention(p, alpha)
    return _weighted(weights, x), (weights * p).sum(axis=(1, 2))


def global_attention(p: Array, alpha: Array) -> Array:
    """The weights a_i of one window over the whole map, [B, H, W, K] -> [B, H, W, K]."""
    return _attention(p.astype(jnp.float32), alpha, axis=(1, 2), where=np.ones((1, 1, 1, 1), bool))


def complement_pool(x: Array, p: Array) -> Array:
    """What a concept does not attend to: the mean of x [B, H, W, C] with the weights 1 - p, [B, K, C]."""
    rest = 1 - _scores_of(x, p)
    return _weighted(rest / (rest.sum(axis=(1, 2), keepdims=True) + _GUARD), x)


def subsample_or_attend(full: Array, p: Array, alpha: Array, gate: Array | float) -> Array:
    """Every second pixel, blended with its 2 x 2 window's attention: (1 - t) full[::2, ::2] + t LAP(full).

    A convolution of stride 2 with explicit padding is the same convolution of stride 1 followed by this at
    t = 0.

    Args:
        full: [B, H, W, C], what the convolution gives at stride 1.
        p: [B, H, W, K].
        alpha: [K].
        gate: t, a scalar from 0 to 1.

    Returns:
        [B, ceil(H / 2), ceil(W / 2), C], the mean over concepts.
    """
    attended = merged_attention_pool(full, p, alpha, window=(2, 2), padding="SAME")
    return blend(full[:, ::2, ::2], attended, gate)


def blend(old: Array, new: Array, gate: Array | float) -> Array:
    """(1 - t) old + t new, with a scalar t."""
    t = jnp.asarray(gate, old.dtype).reshape((1,) * old.ndim)
    return (1 - t) * old + t * new


def _attention(scores: Array, alpha: Array, *, axis: int | tuple[int, int], where: np.ndarray) -> Array:
    """Normalised exp(-alpha^2 (max - p)^2) over ``axis`` of the pixels that are ``where``."""
    best = jnp.max(scores, axis=axis, keepdims=True, initial=-jnp.inf, where=where)
    alpha = alpha.astype(jnp.float32).reshape((1,) * (scores.ndim - 1) + (-1,))
    weights = jnp.where(where, jnp.exp(-((alpha * (best - scores)) ** 2)), 0)
    return weights / (weights.sum(axis=axis, keepdims=True) + _GUARD)


def _weighted(weights: Array, x: Array) -> Array:
    """Sums over space of [B, H, W, K] weights times [B, H, W, C] features, [B, K, C]."""
    pooled = jnp.einsum("bhwk,bhwc->bkc", weights, x.astype(jnp.float32), precision="highest")
    return pooled.astype(x.dtype)


def _scores_of(x: Array, p: Array) -> Array:
    if x.shape[:3] != p.shape[:3]:
        raise InputError(
            f"the features have the shape {tuple(x.shape)} and the scores {tuple(p.shape)}; expected the "
            "same images, height and width: take the scores of the map that is pooled"
        )
    return p.astype(jnp.float32)


class _Windows(NamedTuple):
    """Windows over a map."""

    size: tuple[int, int]
    strides: tuple[int, int]
    padding: Padding

    def pixels(self, x: Array) -> Iterator[Array]:
        """The pixel at each place of all windows, row by row: h * w arrays [B, H', W', C]; 0 outside."""
        # Slices: no patches whose channels could be in another order, and no convolution that rounds.
        pads = [(low, high, 0) for low, high in self._pads(x.shape)]
        x = lax.pad(x, jnp.zeros((), x.dtype), ((0, 0, 0), *pads, (0, 0, 0)))
        for start, stop in self._cuts(x.shape):
            yield lax.slice(x, start, stop, (1, *self.strides, 1))

    def inside(self, shape: Sequence[int]) -> Iterator[np.ndarray]:
        """Which of these pixels are none of the padding, for a map of ``shape``: arrays [1, H', W', 1]."""
        ones = np.pad(np.ones((1, *shape[1:3], 1), bool), ((0, 0), *self._pads(shape), (0, 0)))
        for start, stop in self._cuts(ones.shape):
            steps = (1, *self.strides, 1)
            yield ones[tuple(slice(*cut) for cut in zip(start, stop, steps, strict=True))]

    def _pads(self, shape: Sequence[int]) -> list[tuple[int, int]]:
        if isinstance(self.padding, str):
            return lax.padtype_to_pads(shape[1:3], self.size, self.strides, self.padding)
        return [(low, high) for low, high in self.padding]

    def _cuts(self, shape: Sequence[int]) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
        """Where the pixels of each place begin and end in a padded map."""
        spare = [(n - k) // s for n, k, s in zip(shape[1:3], self.size, self.strides, strict=True)]
        if min(spare) < 0:
            raise InputError(
                f"a map of {tuple(shape[1:3])} pixels was pooled by windows of {self.size}; expected at "
                "least one window: take a smaller one"
            )
        for i, j in np.ndindex(self.size):
            last = (i + spare[0] * self.strides[0], j + spare[1] * self.strides[1])
            yield (0, i, j, 0), (shape[0], last[0] + 1, last[1] + 1, shape[-1])
