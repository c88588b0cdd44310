"""Figures of pathways, class pathways, overlaps and densities.

Every function returns a :class:`matplotlib.figure.Figure` that belongs to nobody: no global state,
no window, nothing to close. :func:`save_figure` writes it.
"""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from matplotlib.figure import Figure
from PIL import Image

from jaxpath.files import replacing
from jaxpath.report import depth, parts
from jaxpath.report.encode import as_picture, heat_over
from jaxpath.report.style import INK, MUTED, OPEN, PARTLY, SMALL, TEXT, percent, short
from jaxpath.types import InputError, Site

_MAX_WIDTH = 13.0  # inches
_LEAST_TILE = 160  # pixels
_TILE_GAP = 12


MOST_CLASSES = 12
"""Class pathways that one figure shows."""


class Captions(NamedTuple):
    """What stands beside each of B images.

    Attributes:
        labels: [B], the true class; negative where it is not known.
        predictions: [B], the class that the clean target predicts.
        clean: [B], the clean target's probability of the predicted class.
        masked: [B], the same class's probability under the pathway.
    """

    labels: Sequence[int]
    predictions: Sequence[int]
    clean: Sequence[float]
    masked: Sequence[float]


def save_figure(figure: Figure, path: Path | str, *, dpi: int = 150) -> Path:
    """Writes ``figure`` to ``path``, whose suffix decides the format; makes its folder."""
    path = Path(path)
    with replacing(path) as partial:
        figure.savefig(partial, dpi=dpi, facecolor="white")
    return path


def save_saliency(image: np.ndarray, saliency: np.ndarray, path: Path | str) -> Path:
    """Writes a picture and its saliency maps, side by side, as a PNG file; makes its folder.

    Args:
        image: uint8 [H, W, C].
        saliency: [S, H, W], signed maps of it.
        path: The file.
    """
    tiles = [as_picture(image).convert("RGB"), *(heat_over(image, part) for part in saliency)]
    scale = max(1, _LEAST_TILE // min(tiles[0].size))
    width, height = (side * scale for side in tiles[0].size)
    sheet = Image.new("RGB", (len(tiles) * (width + _TILE_GAP) - _TILE_GAP, height), "white")
    for place, tile in enumerate(tiles):
        sheet.paste(tile.resize((width, height), Image.Resampling.NEAREST), (place * (width + _TILE_GAP), 0))
    path = Path(path)
    with replacing(path) as partial:
        sheet.save(partial)
    return path


def plot_pathway(masks: Mapping[str, Any], sites: Sequence[Site], *, title: str = "Pathway") -> Figure:
    """One pathway over the network's depth: which channels of each site are open, and how many.

    Args:
        masks: Site name -> [C] (or [H, W, C], drawn as the share of open units of a channel).
        sites: The target's sites, in forward order.
        title: Heading.
    """
    columns = [column[0] for column in depth.per_channel(_batch_of_one(masks), sites)]
    figure = Figure(figsize=(_width(sites), 3.9), layout="constrained")
    above, below = figure.subplots(2, 1, height_ratios=[1, 3])
    places = depth.left_edges(sites) + 0.5
    above.bar(places, [column.mean() for column in columns], width=depth.WIDTH, color=OPEN)
    above.set_xlim(0, places[-1] + 0.5)
    parts.percent_axis(above)
    above.set_xticks([])
    above.set_ylabel("open", fontsize=TEXT, color=MUTED)
    depth.draw_columns(below, columns, sites)
    depth.label_sites(below, sites)
    below.set_ylabel("channels", fontsize=TEXT, color=MUTED)
    figure.align_ylabels([above, below])
    parts.title(figure, f"{title}: {_share(columns)} of {sum(s.channels for s in sites):,} channels open")
    parts.legend(figure, shades=_has_shades(columns))
    return figure


def plot_pathways(
    images: Any,
    masks: Mapping[str, Any],
    sites: Sequence[Site],
    captions: Captions,
    *,
    class_names: Sequence[str] | None = None,
    title: str = "Instance pathways",
) -> Figure:
    """Images, the pathway of each, and the confidence with and without the closed channels.

    Channels are ordered within a site by how many of these images open them (most first), the same
    for every image, so that shared and individual parts of the pathways show.

    Args:
        images: [B, H, W, C], uint8 or floats in [0, 1]; C is 1 or 3.
        masks: Site name -> [B, C] or [B, H, W, C].
        sites: The target's sites, in forward order.
        captions: What the target says about each image, with and without the pathway.
        class_names: Names of the K classes; their numbers if None.
        title: Heading.

    Raises:
        InputError: If the arguments disagree about B, or there is no image.
    """
    images = np.asarray(images)
    columns = [_by_use(column) for column in depth.per_channel(masks, sites)]
    _check_batch(images=images, masks=columns[0], **captions._asdict())
    blocks = min(2, len(images))
    rows = -(-len(images) // blocks)
    site_width = min(4.2, max(2.4, 0.14 * len(sites)))
    figure = Figure(figsize=(blocks * (site_width + 2.7), 1.15 * rows + 1.2), layout="constrained")
    grid = figure.add_gridspec(rows, 3 * blocks, width_ratios=[1.0, site_width, 1.5] * blocks)
    for index, (image, label, predicted, clean, masked) in enumerate(zip(images, *captions, strict=True)):
        block, row = divmod(index, rows)
        picture, path, bars = (figure.add_subplot(grid[row, 3 * block + i]) for i in range(3))
        parts.draw_image(picture, image)
        channels = [column[index] for column in columns]
        depth.draw_columns(path, channels, sites)
        wrong = int(label) >= 0 and int(label) != int(predicted)
        said, true = _names([int(predicted), int(label) if wrong else int(predicted)], class_names)
        verdict = f"predicted {said}, is {true}" if wrong else f"predicted {said}"
        parts.head(path, verdict, wrong=wrong)
        note = f"{_share(channels)} of channels open"
        parts.draw_confidence(bars, float(clean), float(masked), note=note)
        if row == rows - 1 or index == len(images) - 1:
            depth.label_sites(path, sites, width=site_width)
    parts.title(figure, title)
    parts.legend(figure, shades=_has_shades(columns))
    return figure


def most_frequent(counts: np.ndarray, *, limit: int = MOST_CLASSES) -> np.ndarray:
    """The classes with the most images, in the order of the classes; those without images are left out.

    Args:
        counts: Images of each class, int [K].
        limit: How many classes there are at most.
    """
    most = np.argsort(-counts, kind="stable")[:limit]
    return np.sort(most[counts[most] > 0])


def plot_class_pathways(
    frequencies: Mapping[int, Mapping[str, Any]],
    sites: Sequence[Site],
    class_names: Sequence[str] | None = None,
    *,
    iou: Any | None = None,
    title: str = "Class pathways",
) -> Figure:
    """How often the pathways of each class's images keep each channel.

    Channels are ordered within a site by their mean over classes, the same for every class: on the
    left what all classes share, on the right what none needs.

    Args:
        frequencies: Class -> site name -> [C] in [0, 1]; NaN (a class without images) is left white.
        sites: The target's sites, in forward order.
        class_names: Names of the K classes; their numbers if None.
        iou: [n, n], overlaps of the n classes in ``frequencies``, drawn row by row beside them.
        title: Heading.

    Raises:
        InputError: If a class lacks a site, or ``iou`` has another size.
    """
    classes = list(frequencies)
    names = _names(classes, class_names)
    per_class = [depth.per_channel(_batch_of_one(frequencies[c]), sites) for c in classes]
    columns = [_by_use(np.concatenate(rows)) for rows in zip(*per_class, strict=True)]
    height = min(9.0, max(2.6, 0.3 * len(classes) + 1.5))
    side = 0.0 if iou is None else min(4.5, 0.34 * len(classes) + 0.8)
    figure = Figure(figsize=(min(_width(sites) + 1 + side, _MAX_WIDTH), height), layout="constrained")
    axes = figure.subplots(1, 2, width_ratios=[figure.get_figwidth() - side, side or 1], squeeze=False)[0]
    if iou is None:
        figure.delaxes(axes[1])
    else:
        parts.draw_matrix(axes[1], _square(iou, len(classes)), names, aspect="auto")
        axes[1].set_yticks([])
        parts.head(axes[1], "overlap of pathways (IoU)")
    main = axes[0]
    cells = max(4, min(depth.MAX_CELLS, 900 // len(sites)))
    for left, column in zip(depth.left_edges(sites), columns, strict=True):
        depth.draw_cells(main, depth.shrink(column, cells), left=left, height=len(classes))
    if len(classes) <= 40:
        main.hlines(range(1, len(classes)), 0, depth.left_edges(sites)[-1] + 1, color="white", lw=1)
    depth.finish(main, sites, height=len(classes))
    depth.label_sites(main, sites)
    parts.label_classes(main.yaxis, names, first=0.5)
    parts.head(
        main, "channels of each site, most kept first; shade: share of the class's images that keep it"
    )
    bar = figure.colorbar(main.images[0], ax=main, fraction=0.02, pad=0.01, aspect=30)
    parts.style_colorbar(bar, ticks=["0", "50", "100 %"])
    parts.title(figure, title)
    return figure


def plot_iou_matrix(
    matrix: Any, class_names: Sequence[str] | None = None, *, title: str = "Overlap of pathways (IoU)"
) -> Figure:
    """Overlaps between classes, off the diagonal, and within each, on it.

    Args:
        matrix: [K, K] in [0, 1]; NaN is left white.
        class_names: Names of the K classes; their numbers if None.
        title: Heading.

    Raises:
        InputError: If the matrix is not square.
    """
    matrix = _square(matrix, len(matrix))
    side = min(8.0, max(3.2, 0.42 * len(matrix) + 1))
    figure = Figure(figsize=(side + 0.7, side), layout="constrained")
    axes = figure.subplots()
    image = parts.draw_matrix(axes, matrix, _names(range(len(matrix)), class_names))
    bar = figure.colorbar(image, ax=axes, fraction=0.045, pad=0.02)
    parts.style_colorbar(bar, ticks=["0", "0.5", "1"])
    parts.title(figure, title)
    return figure


def plot_density_per_site(
    masks: Mapping[str, Any], sites: Sequence[Site], *, title: str = "Density over the depth"
) -> Figure:
    """Share of open channels at each site: mean over images, and the span of the middle 80 %.

    Args:
        masks: Site name -> [B, C] or [B, H, W, C].
        sites: The target's sites, in forward order.
        title: Heading.
    """
    columns = depth.per_channel(masks, sites)
    shares = np.stack([column.mean(axis=1) for column in columns])  # [sites, B]
    low, high = np.percentile(shares, [10, 90], axis=1)
    places = depth.left_edges(sites) + 0.5
    figure = Figure(figsize=(_width(sites), 3.0), layout="constrained")
    axes = figure.subplots()
    means = axes.bar(places, shares.mean(axis=1), width=depth.WIDTH, color=PARTLY, label="mean over images")
    spans = axes.vlines(places, low, high, color=OPEN, lw=1.6, label="10th to 90th percentile")
    axes.set_xlim(0, places[-1] + 0.5)
    parts.percent_axis(axes)
    depth.label_sites(axes, sites)
    axes.set_ylabel("open channels", fontsize=TEXT, color=MUTED)
    parts.title(figure, title)
    figure.legend(
        handles=[means, spans],
        loc="outside lower left",
        ncols=2,
        frameon=False,
        fontsize=SMALL,
        labelcolor=INK,
    )
    return figure


def _width(sites: Sequence[Site]) -> float:
    return min(_MAX_WIDTH, max(6.0, 0.34 * len(sites) + 2.0))


def _share(columns: Sequence[np.ndarray]) -> str:
    return percent(float(np.concatenate(columns).mean()))


def _has_shades(columns: Iterable[np.ndarray]) -> bool:
    return any(c.shape[-1] > depth.MAX_CELLS or not np.isin(c, (0, 1)).all() for c in columns)


def _by_use(values: np.ndarray) -> np.ndarray:
    """Orders channels by their sum over rows, highest first, stably: [B, C] -> [B, C]."""
    # A row of NaN (a class without images) has no say.
    return values[:, np.argsort(-np.nan_to_num(values).sum(axis=0), kind="stable")]


def _names(classes: Iterable[int], class_names: Sequence[str] | None) -> list[str]:
    return [short(c if class_names is None else class_names[c]) for c in classes]


def _batch_of_one(values: Mapping[str, Any]) -> dict[str, np.ndarray]:
    return {name: np.asarray(value)[None] for name, value in values.items()}


def _square(matrix: Any, size: int) -> np.ndarray:
    matrix = np.asarray(matrix, np.float32)
    if matrix.shape != (size, size):
        raise InputError(
            f"the overlap matrix has shape {matrix.shape}; expected ({size}, {size}): one row and one "
            "column per class"
        )
    return matrix


def _check_batch(**arrays: Any) -> None:
    lengths = {name: len(array) for name, array in arrays.items()}
    if len(set(lengths.values())) > 1 or 0 in lengths.values():
        raise InputError(
            f"the numbers of rows are {lengths}; expected the same number everywhere, at least 1: "
            "pass one row per image"
        )
