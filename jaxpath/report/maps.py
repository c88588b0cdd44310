"""Figures of maps over images: attention level by level, beside other explanations."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from jaxpath.report import parts
from jaxpath.report.style import OWN, SMALL, short
from jaxpath.types import InputError

_OPACITY = 0.75


def plot_maps(
    images: Any,
    maps: Mapping[str, Any],
    *,
    boxes: Any = None,
    captions: Sequence[str] = (),
    title: str = "Where each explanation sees the evidence",
) -> Figure:
    """Images in rows, and over each of them one map per column.

    A map is drawn from 0 to its own largest value; what is below 0 is drawn as 0.

    Args:
        images: [B, H, W, C], uint8 or in [0, 1].
        maps: Heading -> [B, H, W].
        boxes: True regions of each image, [4] or [n, 4]: top, left, bottom and right (the last two
            exclusive); None draws none.
        captions: One line above each image.
        title: Heading.

    Raises:
        InputError: A map has another size than the images.
    """
    images = np.asarray(images)
    arrays = {name: np.maximum(np.asarray(values, np.float32), 0) for name, values in maps.items()}
    for name, values in arrays.items():
        if values.shape != images.shape[:3]:
            raise InputError(
                f"the maps {name!r} have the shape {values.shape} and the images {images.shape}; expected "
                "one value per pixel: enlarge the maps first"
            )
    columns = 1 + len(arrays)
    figure = Figure(figsize=(1.6 * columns, 1.75 * len(images) + 0.6), layout="constrained")
    grid = figure.subplots(len(images), columns, squeeze=False)
    for row, image in enumerate(images):
        parts.draw_image(grid[row][0], image)
        if captions:
            grid[row][0].set_title(short(captions[row]), loc="left", fontsize=SMALL, pad=2)
        for axes, (name, values) in zip(grid[row][1:], arrays.items(), strict=True):
            _draw_map(axes, image, values[row])
            if row == 0:
                parts.head(axes, short(name))
        if boxes is not None:
            for axes in grid[row]:
                for box in np.reshape(boxes[row], (-1, 4)):
                    _draw_box(axes, box)
    parts.title(figure, title)
    return figure


def _draw_map(axes: Axes, image: np.ndarray, values: np.ndarray) -> None:
    """The map in colour over the image in grey."""
    grey = image.mean(axis=-1)
    axes.imshow(grey, cmap="gray", vmin=0, vmax=255 if image.dtype == np.uint8 else 1)
    axes.imshow(values, cmap="inferno", vmin=0, vmax=max(float(values.max()), 1e-12), alpha=_OPACITY)
    axes.set_axis_off()


def _draw_box(axes: Axes, box: Any) -> None:
    top, left, bottom, right = (float(side) for side in box)
    # Pixels are centred on their numbers.
    corner = (left - 0.5, top - 0.5)
    axes.add_patch(Rectangle(corner, right - left, bottom - top, fill=False, edgecolor=OWN, linewidth=1))
