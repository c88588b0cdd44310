"""What a pathway is made of: densities, overlaps, thresholds.

Everything works on the flat form [..., N]: a pathway's sites side by side in forward order.
"""

import itertools
import math
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jaxpath import compiling
from jaxpath.types import Site

AnyArray = TypeVar("AnyArray", Array, np.ndarray)


def flatten(values: Mapping[str, Array], sites: Sequence[Site]) -> Array:
    """Concatenates per-site values in forward order: {site: [B, ...]} -> [B, N].

    By ``sites``, never by ``jax.tree.leaves``: a dict pytree is ordered by key.

    >>> import jax.numpy as jnp
    >>> from jaxpath.types import Site
    >>> sites = [Site("000.a", 2, None), Site("001.b", 1, None)]
    >>> flatten({"001.b": jnp.array([[3]]), "000.a": jnp.array([[1, 2]])}, sites).tolist()
    [[1, 2, 3]]
    """
    return jnp.concatenate(
        [values[site.name].reshape(values[site.name].shape[0], -1) for site in sites], axis=1
    )


def unflatten(
    flat: AnyArray, sites: Sequence[Site], like: Mapping[str, Array] | None = None
) -> dict[str, AnyArray]:
    """Splits the flat form into sites: [..., N] -> {site: [..., C]}, the inverse of :func:`flatten`.

    Args:
        flat: One value per channel, or per unit if ``like`` has units.
        sites: The target's sites.
        like: Values by site whose shapes to take, such as scores at unit granularity; None: channels.

    >>> from jaxpath.types import Site
    >>> sites = [Site("000.a", 2, None), Site("001.b", 1, None)]
    >>> {name: part.tolist() for name, part in unflatten(np.array([[1, 2, 3]]), sites).items()}
    {'000.a': [[1, 2]], '001.b': [[3]]}
    """
    if like is None:
        shapes = {site.name: (*flat.shape[:-1], site.channels) for site in sites}
    else:
        shapes = {site.name: like[site.name].shape for site in sites}
    sizes = [math.prod(shapes[site.name][flat.ndim - 1 :]) for site in sites]
    if isinstance(flat, np.ndarray):
        parts = np.split(flat, list(itertools.accumulate(sizes))[:-1], axis=-1)
    else:
        # One operation, whose gradient puts the parts side by side; that of slices adds up padded ones.
        parts = lax.split(flat, sizes, axis=flat.ndim - 1)
    return {site.name: part.reshape(shapes[site.name]) for site, part in zip(sites, parts, strict=True)}


def offsets(sites: Sequence[Site]) -> list[int]:
    """Where each site's channels start in the flat form, and N at the end.

    >>> offsets([Site("000.a", 2, None), Site("001.b", 3, None)])
    [0, 2, 5]
    """
    return list(itertools.accumulate((site.channels for site in sites), initial=0))


def site_arrays(sites: Sequence[Site]) -> dict[str, Any]:
    """What tells in a file how the flat form divides: ``sites``, their names, and ``channels``, both [S].

    >>> site_arrays([Site("000.a", 2, None), Site("001.b", 3, None)])["channels"].tolist()
    [2, 3]
    """
    return {
        "sites": np.array([site.name for site in sites]),
        "channels": np.array([site.channels for site in sites]),
    }


def density(masks: Array) -> Array:
    """Fraction of neurons that are open, [..., N] -> [...].

    >>> import jax.numpy as jnp
    >>> density(jnp.array([[1, 0, 0, 0], [1, 1, 0, 1]])).tolist()
    [0.25, 0.75]
    """
    return masks.astype(jnp.float32).mean(axis=-1)


def iou(first: Array, second: Array) -> Array:
    """Intersection over union of two sets of masks, pair by pair, [..., N] -> [...].

    Two empty pathways are equal: their IoU is 1.

    >>> import jax.numpy as jnp
    >>> float(iou(jnp.array([1, 1, 0, 0]), jnp.array([1, 0, 1, 0])))
    0.3333333432674408
    """
    both = jnp.minimum(first, second).astype(jnp.float32).sum(axis=-1)
    either = jnp.maximum(first, second).astype(jnp.float32).sum(axis=-1)
    return iou_of_sizes(both, either)


def iou_of_sizes(both: AnyArray, either: AnyArray) -> AnyArray:
    """IoU from the sizes of intersections and unions, elementwise; where a union is empty it is 1.

    >>> iou_of_sizes(np.array([1, 0]), np.array([4, 0])).tolist()
    [0.25, 1.0]
    """
    xp: Any = np if isinstance(either, np.ndarray) else jnp
    return xp.where(either > 0, both / xp.maximum(either, 1), 1.0)


def top_fraction(scores: Array, density: Array | float) -> Array:
    """Opens the highest-scoring neurons of each image until ``density`` is reached, exactly.

    One threshold over all sites. Ties are broken by position, because a threshold alone opens too
    many (or too few) neurons when scores tie.

    Args:
        scores: [B, N].
        density: Fraction to open, a number or [B]; the count is rounded to the nearest neuron.

    Returns:
        0/1 masks [B, N], float32.

    >>> import jax.numpy as jnp
    >>> top_fraction(jnp.array([[0.1, 0.9, 0.5, 0.5]]), 0.5).tolist()
    [[0.0, 1.0, 1.0, 0.0]]
    """
    return open_first(ranks(scores), density)


def open_first(ranks: Array, density: Array | float) -> Array:
    """The masks of :func:`top_fraction` from :func:`ranks` [B, N], which serve many densities.

    >>> import jax.numpy as jnp
    >>> order = ranks(jnp.array([[0.1, 0.9, 0.5, 0.5]]))
    >>> open_first(order, 0.25).tolist(), open_first(order, 0.75).tolist()
    ([[0.0, 1.0, 0.0, 0.0]], [[0.0, 1.0, 1.0, 1.0]])
    """
    num_open = jnp.round(jnp.broadcast_to(jnp.asarray(density), ranks.shape[:1]) * ranks.shape[1])
    return (ranks < num_open[:, None]).astype(jnp.float32)


def ranks(scores: Array) -> Array:
    """Position of each score from the highest (0) down, ties by position: [B, N] -> [B, N] int32.

    >>> import jax.numpy as jnp
    >>> ranks(jnp.array([[0.1, 0.7, 0.7]])).tolist()
    [[2, 0, 1]]
    """
    order = jnp.argsort(scores, axis=-1, descending=True, stable=True)
    return jnp.argsort(order, axis=-1)


def order_statistic(values: Array, places: Array) -> Array:
    """What stands at ``places`` of each row in ascending order, without sorting: [B, N] and [B, P] -> [B, P].

    Found bit by bit, in 32 counts: on a CPU that is many times faster than a sort. On an accelerator it is
    four bits at once, in eight rounds of 15 counts: a round costs little more than one count. Without a
    gradient.

    Args:
        values: float32, none of them NaN.
        places: int, from 0 to N - 1.

    >>> import jax.numpy as jnp
    >>> order_statistic(jnp.array([[3.0, -1.0, 0.5]]), jnp.array([[0, 2]])).tolist()
    [[-1.0, 3.0]]
    """
    sign = jnp.uint32(1 << 31)
    bits = lax.bitcast_convert_type(lax.stop_gradient(values), jnp.uint32)
    # As unsigned numbers in the order of the floats: the negative ones count backwards.
    keys = jnp.where(bits & sign, ~bits, bits | sign)

    width = 1 if compiling.platform() == "cpu" else 4

    def settle(step: Array, prefix: Array) -> Array:
        shift = (32 - width * (step + 1)).astype(jnp.uint32)
        trials = [prefix | (jnp.uint32(digit) << shift) for digit in range(1, 2**width)]
        settled = prefix
        for trial, smaller in zip(trials, _count_smaller(keys, trials), strict=True):
            settled = jnp.where(smaller <= places, trial, settled)
        return settled

    key = lax.fori_loop(0, 32 // width, settle, jnp.zeros(places.shape, jnp.uint32))
    return lax.bitcast_convert_type(jnp.where(key & sign, key ^ sign, ~key), jnp.float32)


def _count_smaller(keys: Array, trials: Sequence[Array]) -> list[Array]:
    """How many of each row's ``keys`` [B, N] are below each of some trials [B, P]."""
    if compiling.platform() in ("cpu", "tpu"):
        return [(keys[:, None, :] < trial[:, :, None]).sum(axis=-1) for trial in trials]
    # A GPU would start a kernel for each; a TPU makes them one by itself, and is slow at this.
    smaller = (keys[:, None, None, :] < jnp.stack(trials, axis=2)[..., None]).sum(axis=-1)
    return [smaller[..., i] for i in range(len(trials))]


def threshold_for(logits: Array, density: Array) -> Array:
    """The logit above which a fraction ``density`` [B] of each image's ``logits`` [B, N] lies, [B].

    Midway between two neighbours in the order, so that rounding cannot move a neuron across it.
    Differentiable: pushing one neuron over the threshold pushes another one back. Where logits tie at it,
    they share the gradient.
    """
    count = logits.shape[1]
    below = jnp.clip(jnp.round((1 - density) * count).astype(jnp.int32), 1, count - 1)
    lower = order_statistic(logits, below[:, None] - 1)  # [B, 1]
    fixed = lax.stop_gradient(logits)
    tied = (fixed <= lower).sum(axis=1, keepdims=True) > below[:, None]
    higher = jnp.where(fixed > lower, fixed, jnp.inf).min(axis=1, keepdims=True)
    values = jnp.concatenate([lower, jnp.where(tied, lower, higher)], axis=1)  # [B, 2]
    ties = (logits[:, None] == values[:, :, None]).astype(logits.dtype)  # [B, 2, N]
    moving = (logits[:, None] * ties).sum(axis=-1) / ties.sum(axis=-1)
    return (values + moving - lax.stop_gradient(moving)).mean(axis=1)
