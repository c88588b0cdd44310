"""Figures of learned attributes: which classes use them, what they look like, which carry one decision."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import LinearSegmentedColormap
from matplotlib.figure import Figure

from jaxpath.report import parts
from jaxpath.report.style import CLOSED, INK, MUTED, OPEN, SERIES, SMALL, TEXT, WRONG, literal, short
from jaxpath.types import InputError

_RELEVANCE_MAP = LinearSegmentedColormap.from_list("relevance", [WRONG, "#ffffff", OPEN])
"""Against the class, no part in it, for it."""

_MOST_BARS = 8
"""Attributes that the panel of one decision shows."""


class AttributeView(NamedTuple):
    """What is shown of one attribute for one class.

    Attributes:
        attribute: Its number j.
        label: The class c.
        relevance: r_{j,c}.
        samples: Images [n, H, W, C] that activate it most, uint8 or in [0, 1].
        maximised: As many pictures [n, H, W, C] in [0, 1] that raise it, each from the sample above it.
    """

    attribute: int
    label: int
    relevance: float
    samples: Any
    maximised: Any


def plot_global_relevance(
    relevance: Any, class_names: Sequence[str] | None = None, *, title: str = "Which classes use an attribute"
) -> Figure:
    """The class-attribute matrix: mean relevance of every attribute for every class.

    Args:
        relevance: [K, J] in [-1, 1]; NaN (a class that was never predicted) is left white.
        class_names: Names of the K classes; their numbers if None.
        title: Heading.
    """
    relevance = np.asarray(relevance)
    num_classes, num_attributes = relevance.shape
    size = (min(13.0, 0.3 * num_attributes + 2.5), min(10.0, 0.3 * num_classes + 1.4))
    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots()
    image = axes.imshow(relevance, cmap=_RELEVANCE_MAP, vmin=-1, vmax=1, aspect="auto")
    parts.label_classes(axes.yaxis, _names(num_classes, class_names), first=0.0)
    parts.label_classes(axes.xaxis, [str(j) for j in range(num_attributes)], first=0.0)
    axes.set_xlabel("attribute", fontsize=TEXT, color=MUTED)
    axes.tick_params(length=0)
    axes.spines[:].set_color(CLOSED)
    bar = figure.colorbar(image, ax=axes, fraction=0.03, pad=0.02)
    bar.set_ticks([-1, 0, 1], labels=["against", "0", "for"])
    bar.ax.tick_params(length=0, labelsize=SMALL, labelcolor=MUTED)
    parts.title(figure, title)
    return figure


def plot_attributes(
    views: Sequence[AttributeView],
    class_names: Sequence[str] | None = None,
    *,
    title: str = "What raises an attribute",
) -> Figure:
    """A row per attribute and class: the images that activate it most, and the pictures that maximise it.

    Args:
        views: What to show; all with the same number of images.
        class_names: Names of the K classes; their numbers if None.
        title: Heading.

    Raises:
        InputError: There is nothing to show, or a view has another number of images.
    """
    counts = {len(pictures) for view in views for pictures in (view.samples, view.maximised)}
    if len(counts) != 1 or 0 in counts:
        raise InputError(
            f"the attributes to be drawn have {sorted(counts)} images each; expected one number of samples "
            "and of pictures, above 0: give as many of each for every attribute"
        )
    count = counts.pop()
    blocks = min(2, len(views))
    rows = -(-len(views) // blocks)
    figure = Figure(figsize=(blocks * (2 * count * 0.95 + 1.6), 1.05 * rows + 0.9), layout="constrained")
    grid = figure.add_gridspec(rows, blocks * (2 * count + 1), width_ratios=[1.3, *[1] * 2 * count] * blocks)
    for index, view in enumerate(views):
        block, row = divmod(index, rows)
        first = block * (2 * count + 1)
        name = short(view.label if class_names is None else class_names[view.label])
        note = figure.add_subplot(grid[row, first])
        note.set_axis_off()
        note.text(0, 0.62, f"attribute {view.attribute}", fontsize=TEXT, color=INK, transform=note.transAxes)
        text = f"class {name}\nr = {view.relevance:.2f}"
        note.text(0, 0.2, text, fontsize=SMALL, color=MUTED, transform=note.transAxes)
        for place in range(count):
            sample = figure.add_subplot(grid[row, first + 1 + place])
            raised = figure.add_subplot(grid[row, first + 1 + count + place])
            parts.draw_image(sample, np.asarray(view.samples[place]))
            parts.draw_image(raised, np.asarray(view.maximised[place]))
            if row == 0 and place == 0:
                parts.head(sample, "most activating")
                parts.head(raised, "maximised from them")
    parts.title(figure, title)
    return figure


def plot_local_relevance(
    images: Any,
    relevance: Any,
    *,
    labels: Sequence[int],
    predicted: Sequence[int],
    guessed: Sequence[int],
    class_names: Sequence[str] | None = None,
    title: str = "Which attributes carry each decision",
) -> Figure:
    """Images and the most relevant attributes of each; where interpreter and target differ, it says so.

    Args:
        images: [B, H, W, C], uint8 or in [0, 1].
        relevance: [B, J] in [-1, 1], for the interpreter's class.
        labels: [B], the true class.
        predicted: [B], the target's class.
        guessed: [B], the interpreter's class.
        class_names: Names of the K classes; their numbers if None.
        title: Heading.
    """
    relevance = np.asarray(relevance)
    blocks = min(4, len(images))
    rows = -(-len(images) // blocks)
    figure = Figure(figsize=(blocks * 3.2, 1.75 * rows + 0.8), layout="constrained")
    grid = figure.add_gridspec(rows, 2 * blocks, width_ratios=[1, 1.3] * blocks)
    for index, image in enumerate(images):
        row, block = divmod(index, blocks)
        picture, bars = (figure.add_subplot(grid[row, 2 * block + i]) for i in range(2))
        parts.draw_image(picture, np.asarray(image))
        said, guess, true = (
            short(c if class_names is None else class_names[c])
            for c in (int(predicted[index]), int(guessed[index]), int(labels[index]))
        )
        if said != guess:
            parts.head(picture, f"flagged: {said}\nattributes: {guess}", wrong=True)
        else:
            parts.head(picture, said if said == true else f"{said}, is {true}", wrong=said != true)
        _draw_bars(bars, relevance[index])
    parts.title(figure, title)
    return figure


def plot_conciseness(
    curves: Mapping[str, Mapping[float, float]], *, title: str = "Attributes that carry a decision"
) -> Figure:
    """Mean number of attributes with r > 1 / tau against tau, one line per run.

    Args:
        curves: Name -> tau -> CNS.
        title: Heading.
    """
    figure = Figure(figsize=(6.0, 3.4), layout="constrained")
    axes = figure.subplots()
    for place, (name, curve) in enumerate(curves.items()):
        colour = SERIES[place % len(SERIES)]
        taus, counts = list(curve), list(curve.values())
        axes.plot(taus, counts, marker="o", markersize=4, color=colour, label=literal(name))
    axes.set_ylim(bottom=0)
    axes.set_xlabel("tau: attributes above 1 / tau of the largest count", fontsize=TEXT, color=MUTED)
    axes.set_ylabel("attributes per image", fontsize=TEXT, color=MUTED)
    axes.tick_params(labelsize=SMALL, colors=MUTED)
    axes.grid(color=CLOSED, linewidth=0.8)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)
    if len(curves) > 1:
        axes.legend(fontsize=SMALL, frameon=False)
    parts.title(figure, title)
    return figure


def _draw_bars(axes: Axes, relevance: np.ndarray) -> None:
    """The attributes of largest |r| as horizontal bars with their numbers, largest on top."""
    order = np.argsort(-np.abs(relevance), kind="stable")[:_MOST_BARS]
    values = relevance[order]
    axes.barh(range(len(order)), values, color=np.where(values < 0, WRONG, OPEN), height=0.7)
    axes.axvline(0, color=MUTED, linewidth=0.6)
    axes.set_xlim(-1.05, 1.05)
    axes.set_ylim(_MOST_BARS - 0.4, -0.6)
    axes.set_yticks(range(len(order)), [str(j) for j in order], fontsize=SMALL, color=INK)
    axes.set_xticks([-1, 0, 1], ["-1", "0", "1"], fontsize=SMALL, color=MUTED)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def _names(count: int, class_names: Sequence[str] | None) -> list[str]:
    return [short(c if class_names is None else class_names[c]) for c in range(count)]
