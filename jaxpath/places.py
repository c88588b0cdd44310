"""Where the values of a site lie: on a map, at tokens, or nowhere in particular.

An activation is [B, H, W, C] on a map, [B, T, C] at tokens and [B, C] at a dense site. What is between the
images and the channels are places, whatever their number of axes.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
from jax import Array

from jaxpath.types import Site

AnyArray = TypeVar("AnyArray", Array, np.ndarray)


def place_axes(ndim: int) -> tuple[int, ...]:
    """The axes of the places of values with ``ndim`` axes.

    >>> place_axes(4), place_axes(3), place_axes(2)
    ((1, 2), (1,), ())
    """
    return tuple(range(1, ndim - 1))


def mean_over_places(values: AnyArray, **options: Any) -> AnyArray:
    """[B, H, W, C], [B, T, C] or [B, C] -> [B, C]; options are those of ``mean``."""
    return values.mean(axis=place_axes(values.ndim), **options)


def max_over_places(values: AnyArray) -> AnyArray:
    """[B, H, W, C], [B, T, C] or [B, C] -> [B, C]."""
    return values.max(axis=place_axes(values.ndim))


def grid_of(site: Site) -> tuple[int, int] | None:
    """(H, W) of a map or of the patches among tokens; None where nothing lies in the image.

    >>> from jaxpath.types import Patches, Tokens
    >>> grid_of(Site("000.gelu", 64, Tokens(17, Patches(1, (4, 4)))))
    (4, 4)
    """
    if site.spatial is not None and len(site.spatial) == 2:
        return site.spatial[0], site.spatial[1]
    return None if site.patches is None else site.patches.grid


def sites_in_image(sites: Sequence[Site]) -> list[Site]:
    """The sites whose values lie at more than one place of the image."""
    return [site for site in sites if math.prod(grid_of(site) or (1,)) > 1]


def on_grid(values: AnyArray, site: Site) -> AnyArray:
    """Values of a site as a map, [B, H, W, C]: those of patches on their grid, without other tokens.

    Args:
        values: [B, H, W, C], or [B, T, C] at a site with patches.
        site: The site.
    """
    if values.ndim == 4 or site.patches is None:
        return values
    first, (rows, columns) = site.patches
    patches = values[:, first : first + rows * columns]
    return patches.reshape(values.shape[0], rows, columns, values.shape[-1])


def as_map(values: AnyArray, site: Site) -> AnyArray:
    """All values of tokens as [B, H, W, C]: patches on their grid, or with others in one column.

    Args:
        values: [B, T, C]; maps [B, H, W, C] and dense [B, C] are returned as they are.
        site: Whose values they are.
    """
    if values.ndim != 3:
        return values
    if site.patches is not None and math.prod(site.patches.grid) == values.shape[1]:
        return on_grid(values, site)
    return values[:, :, None]


def position_on_grid(position: int, site: Site) -> tuple[int, int] | None:
    """Row and column of one of a site's places, counted row by row; None if it is none of the image."""
    grid = grid_of(site)
    if grid is None:
        return None
    first = 0 if site.patches is None else site.patches.first
    inside = position - first
    return divmod(inside, grid[1]) if 0 <= inside < math.prod(grid) else None


def reduce_places(values: Array, reduce: Callable[..., Array]) -> Array:
    """[B, ..., C] -> [B, C], by a reduction over one axis, which counts the places row by row."""
    return reduce(values.reshape(len(values), -1, values.shape[-1]), axis=1)
