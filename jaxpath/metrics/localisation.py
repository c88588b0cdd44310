"""Does a map point at the thing? Maps [B, H, W] against masks [B, H, W] of the true region, image by image.

Values below 0 speak against the class and count as 0 wherever a map is compared with a region.
"""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from jaxpath.types import InputError


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
    """
    values, region = _rows(maps, masks)
    best = values == values.max(axis=1, keepdims=True)
    return (best * region).sum(axis=1) / best.sum(axis=1)


def energy_in_mask(maps: Array, masks: Array) -> Array:
    """Share of the map's sum that lies in the region, [B] (Wang et al. 2020, Score-CAM, section 4.3).

    0 for a map without a value above 0.
    """
    values, region = _rows(jnp.maximum(maps, 0), masks)
    whole = values.sum(axis=1)
    return jnp.where(whole > 0, (values * region).sum(axis=1) / jnp.where(whole > 0, whole, 1), 0)


def overlap_at(maps: Array, masks: Array, threshold: float) -> Overlap:
    """What is above ``threshold`` against the region."""
    values, region = _rows(maps, masks)
    marked = values > threshold
    return _overlap((marked * region).sum(axis=1), marked.sum(axis=1), region.sum(axis=1))


def best_overlap(maps: Array, masks: Array) -> Overlap:
    """The cut of each map that overlaps best with its region, over all values of the map as thresholds."""
    values, region = _rows(maps, masks)
    hits, marked = _counts_from(values, region)
    overlaps = _overlap(hits, marked, region.sum(axis=1, keepdims=True))
    best = overlaps.iou.argmax(axis=1)[:, None]
    return Overlap(*(jnp.take_along_axis(part, best, axis=1)[:, 0] for part in overlaps))


def average_precision(maps: Array, masks: Array) -> Array:
    """Area under precision over recall of the pixels, [B], equal values together; NaN without a region."""
    values, region = _rows(maps, masks)
    hits, marked = _counts_from(values, region)
    return (hits / marked * region).sum(axis=1) / region.sum(axis=1)


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
