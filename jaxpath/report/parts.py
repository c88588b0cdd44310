"""The pieces that figures are put together from; each draws into what it is given."""

from collections.abc import Sequence
from typing import Literal

import numpy as np
from matplotlib.axes import Axes
from matplotlib.axis import Axis
from matplotlib.colorbar import Colorbar
from matplotlib.figure import Figure, FigureBase
from matplotlib.image import AxesImage
from matplotlib.patches import Patch

from jaxpath.report.style import (
    CHANNEL_MAP,
    CLEAN,
    CLOSED,
    INK,
    MUTED,
    OPEN,
    PARTLY,
    SMALL,
    TEXT,
    TITLE,
    WRONG,
    literal,
)

_MAX_ANNOTATED = 12
"""Classes up to which each cell of an overlap matrix shows its number."""

_MAX_CLASS_LABELS = 40

_MANY_LABELS = 14
"""More labels than this are written smaller."""


def title(figure: FigureBase, text: str) -> None:
    """Writes the figure's heading at the top left."""
    figure.suptitle(literal(text), x=0.01, ha="left", fontsize=TITLE, color=INK, fontweight="bold")


def legend(figure: Figure, *, shades: bool) -> None:
    """Says what the colours of channels mean; ``shades`` if some cells are neither open nor closed."""
    handles = [Patch(facecolor=OPEN, label="open"), Patch(facecolor=CLOSED, label="closed")]
    if shades:
        handles.append(Patch(facecolor=PARTLY, label="partly: the cell stands for several neurons"))
    figure.legend(
        handles=handles, loc="outside lower left", ncols=3, frameon=False, fontsize=SMALL, labelcolor=MUTED
    )


def head(axes: Axes, text: str, *, wrong: bool = False) -> None:
    """Writes ``text`` above the axes at the left."""
    axes.set_title(text, loc="left", fontsize=TEXT, color=WRONG if wrong else INK, pad=3)


def draw_image(axes: Axes, image: np.ndarray) -> None:
    """Shows an image [H, W, C], uint8 or in [0, 1]; C is 1 or 3."""
    grey = image.shape[-1] == 1
    span = 255 if image.dtype == np.uint8 else 1
    axes.imshow(image[..., 0] if grey else image, cmap="gray" if grey else None, vmin=0, vmax=span)
    axes.set_axis_off()


def draw_confidence(axes: Axes, clean: float, masked: float, *, note: str = "") -> None:
    """Two bars with their numbers: the predicted class's probability, clean and masked; a note below."""
    axes.text(0, 1.75, note, va="center", fontsize=SMALL, color=MUTED)
    axes.barh([0, 1], [1, 1], color=CLOSED, height=0.62)
    axes.barh([0, 1], [clean, masked], color=[CLEAN, OPEN], height=0.62)
    for y, value in enumerate((clean, masked)):
        axes.text(1.04, y, f"{value:.2f}", va="center", fontsize=SMALL, color=INK)
    axes.set_xlim(0, 1.35)
    axes.set_ylim(2.1, -1.1)
    axes.set_xticks([])
    axes.set_yticks([0, 1], ["clean", "masked"], fontsize=SMALL, color=MUTED)
    axes.tick_params(length=0, pad=2)
    axes.spines[:].set_visible(False)


def draw_matrix(
    axes: Axes, matrix: np.ndarray, names: Sequence[str], *, aspect: Literal["equal", "auto"] = "equal"
) -> AxesImage:
    """Draws overlaps [K, K] in [0, 1] with their numbers if they fit; NaN stays white."""
    image = axes.imshow(matrix, cmap=CHANNEL_MAP, vmin=0, vmax=1, aspect=aspect)
    if len(names) <= _MAX_ANNOTATED:
        for (row, column), value in np.ndenumerate(matrix):
            if np.isfinite(value):
                color = "white" if value > 0.55 else INK
                text = f"{value:.2f}".removeprefix("0")
                axes.text(column, row, text, ha="center", va="center", fontsize=SMALL, color=color)
    label_classes(axes.xaxis, names, first=0.0)
    label_classes(axes.yaxis, names, first=0.0)
    if max(map(len, names)) > 2:
        axes.tick_params(axis="x", rotation=90)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return image


def label_classes(axis: Axis, names: Sequence[str], *, first: float) -> None:
    """Names the classes at ``first``, ``first + 1``, ...; every nth of many."""
    shown = range(0, len(names), -(-len(names) // _MAX_CLASS_LABELS))
    size = SMALL if len(shown) <= _MANY_LABELS else 0.75 * SMALL
    axis.set_ticks([first + i for i in shown], [names[i] for i in shown], fontsize=size, color=INK)


def percent_axis(axes: Axes) -> None:
    """A vertical axis of shares from 0 to 100 %, with a light grid instead of a frame."""
    axes.set_ylim(0, 1)
    axes.set_yticks([0, 0.5, 1], ["0", "50", "100 %"], fontsize=SMALL, color=MUTED)
    axes.yaxis.grid(True, color=CLOSED, lw=0.8)
    axes.set_axisbelow(True)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)


def style_colorbar(bar: Colorbar, *, ticks: Sequence[str]) -> None:
    """Three ticks at 0, 0.5 and 1, and no frame."""
    bar.set_ticks([0, 0.5, 1], labels=list(ticks))
    bar.ax.tick_params(length=0, labelsize=SMALL, labelcolor=MUTED)
    bar.outline.set_visible(False)
