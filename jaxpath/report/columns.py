"""The pathway over the network's depth, as columns of a page: one per site, shallow to deep."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.colors import to_rgb

from jaxpath.pathways import unflatten
from jaxpath.report.depth import stages
from jaxpath.report.encode import pixels_uri
from jaxpath.report.style import CLOSED, OPEN, OWN, PARTLY
from jaxpath.types import Site

ROWS = 64
"""Channels that stand below each other in a column."""


class Column(NamedTuple):
    """One site.

    Attributes:
        position: Its place in forward order.
        name: Its name.
        channels: Number of channels.
        open: Number of open ones; the mean over images for a data set.
        density: Share of open channels.
        low: 10th percentile of that share over images; the share itself for one image.
        high: 90th percentile.
        cells: The channels' colours as a data URI; empty for a data set.
        class_open: Open channels of the class's pathway; None without one.
        class_cells: Its colours; empty without one.
    """

    position: int
    name: str
    channels: int
    open: float
    density: float
    low: float
    high: float
    cells: str = ""
    class_open: int | None = None
    class_cells: str = ""


class Stage(NamedTuple):
    """Sites that share the first part of their name, and how many columns they take."""

    name: str
    span: int


def stage_row(sites: Sequence[Site]) -> list[Stage]:
    """The stages under the columns."""
    return [Stage(name, stop - first) for name, first, stop in stages(sites)]


def image_columns(
    mask: np.ndarray, sites: Sequence[Site], frequency: np.ndarray | None, class_mask: np.ndarray | None
) -> list[Column]:
    """A picture's pathway [N], and the class's beside it: its frequencies [N] and its mask [N]."""
    both = np.zeros_like(mask) if class_mask is None else mask & class_mask
    alone = OPEN if class_mask is None else OWN
    colours = _colour(mask, CLOSED, alone)
    colours[both] = _rgb(OPEN)
    cells, class_cells = (
        unflatten(np.moveaxis(colours, -1, 0), sites),
        None if frequency is None else unflatten(np.moveaxis(_shades(frequency), -1, 0), sites),
    )
    masks = unflatten(mask, sites)
    class_masks = None if class_mask is None else unflatten(class_mask, sites)
    columns = []
    for position, site in enumerate(sites):
        opened = masks[site.name]
        columns.append(
            Column(
                position=position,
                name=site.name,
                channels=site.channels,
                open=int(opened.sum()),
                density=float(opened.mean()),
                low=float(opened.mean()),
                high=float(opened.mean()),
                cells=_cells(cells[site.name]),
                class_open=None if class_masks is None else int(class_masks[site.name].sum()),
                class_cells="" if class_cells is None else _cells(class_cells[site.name]),
            )
        )
    return columns


def data_set_columns(masks: np.ndarray, sites: Sequence[Site]) -> list[Column]:
    """How many channels the pathways [n, N] of a data set open at each site."""
    columns = []
    for position, site in enumerate(sites):
        shares = unflatten(masks, sites)[site.name].mean(axis=1)
        low, high = np.percentile(shares, [10, 90])
        mean = float(shares.mean())
        columns.append(
            Column(position, site.name, site.channels, mean * site.channels, mean, float(low), float(high))
        )
    return columns


def _cells(colours: np.ndarray) -> str:
    """Colours [3, C] of a site's channels, one pixel each: downwards, 64 in a column, then the next one."""
    rows = min(ROWS, colours.shape[1])
    columns = -(-colours.shape[1] // rows)
    padded = np.full((3, rows * columns), 255.0)
    padded[:, : colours.shape[1]] = colours
    return pixels_uri(padded.reshape(3, columns, rows).transpose(2, 1, 0))


def _shades(frequency: np.ndarray) -> np.ndarray:
    """Frequencies [N] as colours [N, 3], from closed over partly to open."""
    closed, partly, opened = (_rgb(colour)[None] for colour in (CLOSED, PARTLY, OPEN))
    share = np.nan_to_num(frequency)[:, None]
    return np.where(
        share < 0.5,
        closed + (partly - closed) * share * 2,
        partly + (opened - partly) * (share * 2 - 1),
    )


def _colour(mask: np.ndarray, closed: str, opened: str) -> np.ndarray:
    return np.where(mask[:, None], _rgb(opened)[None], _rgb(closed)[None])


def _rgb(colour: str) -> np.ndarray:
    return 255 * np.asarray(to_rgb(colour))
