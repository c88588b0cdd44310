"""Does a map point at the thing? Maps [B, H, W] against masks [B, H, W] of the true region, image by image.

Values below 0 speak against the class and count as 0 wherever a map is compared with a region. A map that
holds NaN or infinity is refused; where the function is compiled, what is said of it is NaN.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from jaxpath.finite import check, nan_unless
from jaxpath.types import InputError

_ROUNDING = 1e-6
"""Values closer than this share of the map's largest size are equal: a few roundings of float32."""


class Overlap(NamedTuple):
    """A map cut at one threshold, against the true region.

    Attributes:
        iou: Intersection over union, [B].
        precision: Share of what is marked that lies in the region; 1 where nothing is marked.
        recall: Share of the region that is marked.
    """

    iou: Array
    precision: Array
    recall: Array


def pointing_game(maps: Array, masks: Array) -> Array:
    """Whether the largest value lies in the region, [B] (Zhang et al. 2016, arXiv 1608.00507).

    Where several pixels are the largest, the share of them that do: a constant map gets the region's share.
    Values that differ by rounding are equal, so that it does not decide, such as on the plateaus of an
    enlarged map: our choice, a millionth of the map's largest size.
    """
    values, region = _rows(maps, masks)
    size = jnp.abs(values).max(axis=1, keepdims=True)
    best = values >= values.max(axis=1, keepdims=True) - _ROUNDING * size
    return nan_unless(values, (best * region).sum(axis=1) / best.sum(axis=1))


def energy_in_mask(maps: Array, masks: Array) -> Array:
    """Share of the map's sum that lies in the region, [B] (Wang et al. 2020, Score-CAM, section 4.3).

    0 for a map without a value above 0.
    """
    values, region = _rows(maps, masks)
    positive = jnp.maximum(values, 0)
    whole = positive.sum(axis=1)
    share = jnp.where(whole > 0, (positive * region).sum(axis=1) / jnp.where(whole > 0, whole, 1), 0)
    return nan_unless(values, share)


def overlap_at(maps: Array, masks: Array, threshold: float) -> Overlap:
    """What is above ``threshold`` against the region."""
    values, region = _rows(maps, masks)
    marked = values > threshold
    overlap = _overlap((marked * region).sum(axis=1), marked.sum(axis=1), region.sum(axis=1))
    return Overlap(*(nan_unless(values, part) for part in overlap))


def best_overlap(maps: Array, masks: Array) -> Overlap:
    """The cut of each map that overlaps best with its region, over all values of the map as thresholds."""
    values, region = _rows(maps, masks)
    hits, marked = _counts_from(values, region)
    overlaps = _overlap(hits, marked, region.sum(axis=1, keepdims=True))
    best = overlaps.iou.argmax(axis=1)[:, None]
    at_best = (jnp.take_along_axis(part, best, axis=1)[:, 0] for part in overlaps)
    return Overlap(*(nan_unless(values, part) for part in at_best))


def average_precision(maps: Array, masks: Array) -> Array:
    """Area under precision over recall of the pixels, [B], equal values together; NaN without a region."""
    values, region = _rows(maps, masks)
    hits, marked = _counts_from(values, region)
    return nan_unless(values, (hits / marked * region).sum(axis=1) / region.sum(axis=1))


def boxes_to_masks(boxes: Array, size: tuple[int, int]) -> Array:
    """Boxes [B, 4] of (top, left, bottom, right), the last two exclusive, as 0/1 masks [B, *size]."""
    if boxes.ndim != 2 or boxes.shape[1] != 4:
        raise InputError(
            f"the boxes have the shape {tuple(boxes.shape)}; expected [B, 4]: top, left, bottom, right"
        )
    rows, columns = jnp.arange(size[0])[None, :, None], jnp.arange(size[1])[None, None, :]
    top, left, bottom, right = (side[:, None, None] for side in jnp.asarray(boxes).T)
    return ((rows >= top) & (rows < bottom) & (columns >= left) & (columns < right)).astype(jnp.float32)


def _rows(maps: Array, masks: Array) -> tuple[Array, Array]:
    """Both as float32 [B, H * W]."""
    maps, masks = jnp.asarray(maps), jnp.asarray(masks)
    if maps.ndim != 3 or maps.shape != masks.shape:
        raise InputError(
            f"the maps have the shape {tuple(maps.shape)} and the masks {tuple(masks.shape)}; expected both "
            "to be [B, H, W]: enlarge the maps first"
        )
    check("values of the maps", maps)
    values, region = (part.reshape(len(part), -1).astype(jnp.float32) for part in (maps, masks > 0))
    return values, region


def _counts_from(values: Array, region: Array) -> tuple[Array, Array]:
    """How many pixels of at least each one's value lie in the region, and are there at all: [B, N] each."""

    def of_image(values: Array, region: Array) -> tuple[Array, Array]:
        order = jnp.argsort(values)
        below = jnp.searchsorted(values[order], values, side="left")
        hits = jnp.concatenate([jnp.zeros(1), jnp.cumsum(region[order])])
        return hits[-1] - hits[below], values.size - below

    return jax.vmap(of_image)(values, region)


def _overlap(hits: Array, marked: Array, area: Array) -> Overlap:
    either = marked + area - hits
    return Overlap(
        hits / jnp.maximum(either, 1),
        jnp.where(marked > 0, hits / jnp.maximum(marked, 1), 1.0),
        hits / jnp.maximum(area, 1),
    )
