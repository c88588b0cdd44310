"""The axis that every figure shares: a target's sites as columns, shallow to deep.

All columns are equally wide, because channel counts differ by a factor of 32 within a ResNet-50.
Sites of one stage stand together; a gap separates stages.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.transforms import ScaledTranslation

from jaxpath.places import mean_over_places
from jaxpath.report.style import CHANNEL_MAP, MUTED, SMALL, literal
from jaxpath.types import InputError, Site

MAX_CELLS = 64
"""Cells of one column; a site with more channels shows the mean of neighbours in each cell."""

WIDTH = 0.92
"""Width of a column; the next one starts 1 further."""

_MARGIN = (1 - WIDTH) / 2
_GAP = 0.5
_MAX_TICKS = 24

_TICK_WIDTH = 0.2  # inches


def per_channel(values: Mapping[str, Any], sites: Sequence[Site]) -> list[np.ndarray]:
    """Values of each site in forward order, averaged over space: a [B, C] for each.

    Args:
        values: Site name -> [B, C], [B, T, C] or [B, H, W, C].
        sites: The target's sites.

    Raises:
        InputError: If a site is missing or has another number of channels.
    """
    missing = [site.name for site in sites if site.name not in values]
    if missing:
        raise InputError(
            f"no values for sites {missing}; expected one array for each of {[site.name for site in sites]}"
        )
    columns = []
    for site in sites:
        array = np.asarray(values[site.name], np.float32)
        if array.ndim not in (2, 3, 4) or array.shape[-1] != site.channels:
            raise InputError(
                f"site {site.name!r} has values of shape {array.shape}; expected [B, C], "
                f"[B, T, C] or [B, H, W, C] with C = {site.channels}"
            )
        columns.append(mean_over_places(array))
    return columns


def shrink(values: np.ndarray, cells: int) -> np.ndarray:
    """Averages neighbours so that at most ``cells`` remain: [..., C] -> [..., min(C, cells)].

    >>> shrink(np.array([1.0, 1.0, 0.0, 1.0]), 2)
    array([1. , 0.5])
    """
    channels = values.shape[-1]
    if channels <= cells:
        return values
    edges = np.linspace(0, channels, cells + 1).astype(int)
    return np.add.reduceat(values, edges[:-1], axis=-1) / np.diff(edges)


def stages(sites: Sequence[Site]) -> list[tuple[str, int, int]]:
    """Runs of sites that share the first part of their place: (stage, first site, one past the last).

    >>> stages([Site("000.relu", 4, None), Site("001.layer1.0.relu1", 4, None),
    ...         Site("002.layer1.0.relu2", 4, None)])
    [('relu', 0, 1), ('layer1', 1, 3)]
    """
    runs: list[tuple[str, int, int]] = []
    for index, site in enumerate(sites):
        stage = site.name.split(".", 1)[-1].split(".")[0]
        if runs and runs[-1][0] == stage:
            runs[-1] = (stage, runs[-1][1], index + 1)
        else:
            runs.append((stage, index, index + 1))
    return runs


def left_edges(sites: Sequence[Site]) -> np.ndarray:
    """Where each site's column starts on the horizontal axis, with a gap after each stage."""
    edges = np.arange(len(sites), dtype=float)
    for _, first, _ in stages(sites)[1:]:
        edges[first:] += _GAP
    return edges


def draw_columns(axes: Axes, columns: Sequence[np.ndarray], sites: Sequence[Site]) -> None:
    """Fills one column per site with its channels, [C] each in [0, 1], first channel at the top."""
    for left, values in zip(left_edges(sites), columns, strict=True):
        draw_cells(axes, shrink(values, MAX_CELLS)[:, None], left=left, height=1.0)
    axes.set_yticks([])
    finish(axes, sites, height=1.0)


def draw_cells(axes: Axes, cells: np.ndarray, *, left: float, height: float) -> None:
    """Draws cells [rows, columns] with values in [0, 1] into one site's column."""
    axes.imshow(
        cells,
        extent=(left + _MARGIN, left + 1 - _MARGIN, height, 0.0),
        cmap=CHANNEL_MAP,
        vmin=0,
        vmax=1,
        aspect="auto",
        interpolation="nearest",
    )


def finish(axes: Axes, sites: Sequence[Site], *, height: float) -> None:
    """Sets the limits that drawing moved, and removes the frame."""
    axes.set_xlim(0, left_edges(sites)[-1] + 1)
    axes.set_ylim(height, 0)
    axes.set_xticks([])
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def label_sites(axes: Axes, sites: Sequence[Site], *, width: float | None = None) -> None:
    """Writes each site's position under its column, and each stage's name below a rule.

    With the axes' ``width`` in inches, as many positions as fit; otherwise up to 24.
    """
    edges = left_edges(sites)
    room = _MAX_TICKS if width is None else int(width / _TICK_WIDTH)
    shown = range(0, len(sites), -(-len(sites) // room))
    axes.set_xticks([edges[i] + 0.5 for i in shown], [str(i) for i in shown], fontsize=SMALL, color=MUTED)
    below = axes.get_xaxis_transform()  # columns across, fractions of the axes' height upwards
    rule = below + ScaledTranslation(0, -16 / 72, axes.figure.dpi_scale_trans)
    for stage, first, stop in stages(sites):
        start, end = edges[first] + _MARGIN, edges[stop - 1] + 1 - _MARGIN
        axes.add_line(Line2D([start, end], [0, 0], transform=rule, color=MUTED, lw=0.8, clip_on=False))
        axes.annotate(
            literal(stage),
            xy=((start + end) / 2, 0),
            xycoords=below,
            xytext=(0, -19),
            textcoords="offset points",
            ha="center",
            va="top",
            fontsize=SMALL,
            color=MUTED,
            annotation_clip=False,
        )
