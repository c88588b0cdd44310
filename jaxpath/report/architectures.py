"""One figure of how the pathways of two classifiers differ."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure, SubFigure
from matplotlib.layout_engine import ConstrainedLayoutEngine

from jaxpath.report import parts
from jaxpath.report.style import CLOSED, INK, MUTED, SERIES, SMALL, TEXT, WRONG, literal, short
from jaxpath.types import InputError

_COLOURS = SERIES[:2]
_FULL = 99
"""Percentile of a map's magnitudes at which its colour is full: single pixels do not darken the rest."""

_MOST_NAMED = 3
"""Pairs of classes that are named: those that overlap most in both classifiers."""

_NAME_HEIGHT = 0.06
"""Of a name, as a share of the axis."""


class Architecture(NamedTuple):
    """What the figure shows of one classifier.

    Attributes:
        name: Its name.
        densities: [N_images, P], share of open channels at P equally spaced relative depths.
        iou: [n, n], overlaps of the pathways of n classes.
        saliency: [B, H, W], saliency through the pathways of the examples.
        predictions: [B], the class that the clean target predicts.
        clean: [B], its probability.
        masked: [B], the same class's probability under the pathway.
    """

    name: str
    densities: np.ndarray
    iou: np.ndarray
    saliency: np.ndarray
    predictions: Sequence[int]
    clean: Sequence[float]
    masked: Sequence[float]


def plot_architectures(
    first: Architecture,
    second: Architecture,
    *,
    images: np.ndarray | None,
    labels: Sequence[int],
    classes: Sequence[int],
    class_names: Sequence[str],
    correlation: Mapping[str, float],
    title: str = "Pathways of two architectures",
) -> Figure:
    """Densities over depth, overlaps of classes and their correlation, and saliency through the pathways.

    Args:
        first: One classifier.
        second: The other, with the same classes and examples.
        images: [B, H, W, C], the examples, uint8 or floats in [0, 1]; C is 1 or 3. None draws their saliency
            alone, for pictures that may not be shown.
        labels: [B], their classes.
        classes: [n], the classes of the overlaps.
        class_names: Names of all K classes.
        correlation: ``pearson``, ``spearman`` and ``spearman_p`` of the overlaps off the diagonal.
        title: Heading.

    Raises:
        InputError: A classifier has another number of classes or examples.
    """
    both = (first, second)
    for one in both:
        if (len(one.iou), len(one.saliency)) != (len(classes), len(labels)):
            raise InputError(
                f"{one.name} has overlaps of {len(one.iou)} classes and {len(one.saliency)} saliency maps; "
                f"expected {len(classes)} classes and one map for each of the {len(labels)} images"
            )
    figure = Figure(figsize=(13, 8.5), layout=ConstrainedLayoutEngine(h_pad=0.08))
    rows = figure.add_gridspec(2, 1, height_ratios=[3.9, 4.4])
    above, below = figure.add_subfigure(rows[0]), figure.add_subfigure(rows[1])
    panels = above.subplots(1, 4, width_ratios=[1, 1.05, 1.05, 1])
    names = [short(class_names[label]) for label in classes]
    _draw_densities(panels[0], both)
    _draw_overlaps(above, panels[1:3], both, names)
    _draw_pairs(panels[3], both, names, correlation)
    _draw_examples(below, both, images, labels, class_names)
    parts.title(above, title)
    return figure


def _draw_densities(axes: Axes, both: Sequence[Architecture]) -> None:
    for one, colour in zip(both, _COLOURS, strict=True):
        depth = np.linspace(0, 1, one.densities.shape[1])
        low, high = np.percentile(one.densities, [10, 90], axis=0)
        axes.fill_between(depth, low, high, color=colour, alpha=0.18, linewidth=0)
        axes.plot(depth, one.densities.mean(axis=0), color=colour, lw=1.8, label=literal(one.name))
    parts.percent_axis(axes)
    axes.set_xlim(0, 1)
    axes.set_xticks([0, 0.5, 1], ["0", "0.5", "1"], fontsize=SMALL, color=MUTED)
    axes.set_xlabel("relative depth: first site to last", fontsize=TEXT, color=MUTED)
    axes.set_box_aspect(1)
    parts.head(axes, "open channels (band: 80 % of images)")
    axes.legend(fontsize=TEXT, frameon=False, labelcolor=INK)


def _draw_overlaps(
    figure: SubFigure, panels: Sequence[Axes], both: Sequence[Architecture], names: Sequence[str]
) -> None:
    for panel, one in zip(panels, both, strict=True):
        image = parts.draw_matrix(panel, one.iou, names)
        parts.head(panel, f"{literal(one.name)}: overlap of classes (IoU)")
    bar = figure.colorbar(image, ax=panels, location="bottom", shrink=0.4, pad=0.03, aspect=30)
    parts.style_colorbar(bar, ticks=["0", "0.5", "1"])


def _draw_pairs(
    axes: Axes, both: Sequence[Architecture], names: Sequence[str], correlation: Mapping[str, float]
) -> None:
    """One mark for each pair of classes; the pairs that overlap most are named."""
    rows, columns = np.triu_indices(len(names), 1)
    x, y = (one.iou[rows, columns] for one in both)
    axes.scatter(x, y, s=16, color=INK, alpha=0.6, linewidths=0)
    for pair in _pairs_to_name(x, y):
        left = x[pair] < (x.min() + x.max()) / 2
        axes.annotate(
            f"{names[rows[pair]]}, {names[columns[pair]]}",
            (x[pair], y[pair]),
            xytext=(4 if left else -4, 3),
            textcoords="offset points",
            ha="left" if left else "right",
            fontsize=SMALL,
            color=MUTED,
        )
    rho, p = correlation["spearman"], correlation["spearman_p"]
    parts.head(axes, f"pairs: Spearman {rho:.2f}, p {p:.2g}")
    axes.set_xlabel(f"IoU in {literal(both[0].name)}", fontsize=TEXT, color=MUTED)
    axes.set_ylabel(f"IoU in {literal(both[1].name)}", fontsize=TEXT, color=MUTED)
    axes.set_box_aspect(1)
    axes.margins(0.08)
    axes.tick_params(labelsize=SMALL, colors=MUTED)
    axes.grid(color=CLOSED, linewidth=0.8)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)


def _pairs_to_name(x: np.ndarray, y: np.ndarray) -> list[int]:
    """The pairs that overlap most in both, as far as their names do not lie on each other."""
    chosen: list[int] = []
    room = _NAME_HEIGHT * np.ptp(y) if y.size else 0.0
    for pair in (x.argsort().argsort() + y.argsort().argsort()).argsort()[::-1]:
        if len(chosen) < _MOST_NAMED and all(abs(y[pair] - y[other]) >= room for other in chosen):
            chosen.append(int(pair))
    return chosen


def _draw_examples(
    figure: SubFigure,
    both: Sequence[Architecture],
    images: np.ndarray | None,
    labels: Sequence[int],
    class_names: Sequence[str],
) -> None:
    """A column for each image: the picture, and below it each classifier's map with its confidences."""
    grid = figure.subplots(2 if images is None else 3, len(labels), squeeze=False)
    maps = grid[-2:]
    for column, label in enumerate(labels):
        if images is not None:
            parts.draw_image(grid[0, column], images[column])
        parts.head(grid[0, column], short(class_names[label]))
        for axes, one, colour in zip(maps[:, column], both, _COLOURS, strict=True):
            _draw_saliency(axes, one.saliency[column], colour)
            said = one.predictions[column]
            verdict = "" if said == label else f"{short(class_names[said])}: "
            axes.set_xlabel(
                f"{verdict}{one.clean[column]:.2f} \N{RIGHTWARDS ARROW} {one.masked[column]:.2f}",
                fontsize=SMALL,
                color=WRONG if verdict else INK,
                labelpad=2,
            )
    for axes, one in zip(maps[:, 0], both, strict=True):
        axes.set_ylabel(literal(one.name), fontsize=TEXT, color=INK)
    figure.suptitle(
        "saliency of the predicted class through its pathway; below each map the class's confidence, all "
        "channels open \N{RIGHTWARDS ARROW} the pathway alone",
        x=0.01,
        ha="left",
        fontsize=TEXT,
        color=INK,
    )


def _draw_saliency(axes: Axes, saliency: np.ndarray, colour: str) -> None:
    """Magnitudes of a map [H, W], white to ``colour``; a map of zeros says so."""
    size = np.abs(saliency)
    if not size.any():
        axes.text(0.5, 0.5, "none", transform=axes.transAxes, ha="center", fontsize=TEXT, color=MUTED)
    shades = LinearSegmentedColormap.from_list("saliency", ["white", colour])
    axes.imshow(size, cmap=shades, vmin=0, vmax=np.percentile(size, _FULL) or 1)
    axes.set_xticks([])
    axes.set_yticks([])
    axes.spines[:].set_color(CLOSED)
