"""The numbers behind the charts of a page; the templates draw them with plain HTML and SVG."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jaxpath.findings.data_set import DataSetFinding
from jaxpath.report.encode import image_uri
from jaxpath.report.style import CHANNEL_MAP, SERIES

MOST_CELLS = 20
"""Classes up to which the matrix of overlaps is a table of numbers; of more it is a picture."""

_BINS = 24


class Bar(NamedTuple):
    """A bar with its name and number; ``kind`` is its colour's name in the style sheet."""

    name: str
    value: float
    kind: str = "open"


class Bin(NamedTuple):
    """A bin of a histogram: its range, how many images lie in it, and its height in [0, 1]."""

    low: float
    high: float
    num_images: int
    height: float


class Cell(NamedTuple):
    """A cell of the matrix: its text, its colour, and whether its text is light."""

    text: str
    colour: str
    light: bool


class Point(NamedTuple):
    """An image on the map: its place in [0, 1000], its colour, and what it says when pointed at."""

    x: float
    y: float
    colour: str
    text: str


def density_bars(densities: np.ndarray) -> list[Bin]:
    """The distribution of densities [n] over their range; a single bin if all are equal."""
    low, high = float(densities.min()), float(densities.max())
    if high - low < 1e-6:
        return [Bin(low, high, len(densities), 1.0)]
    return histogram_bins(*np.histogram(densities, bins=_BINS))


def histogram_bins(counts: np.ndarray, edges: np.ndarray) -> list[Bin]:
    """A histogram as bins, heights relative to the highest one; none without counts."""
    return [
        Bin(float(low), float(high), int(count), float(count / counts.max()))
        for low, high, count in zip(edges[:-1], edges[1:], counts, strict=True)
    ]


def matrix_cells(matrix: np.ndarray) -> list[list[Cell]]:
    """Overlaps [C, C] as cells; none if there are too many classes to read."""
    if len(matrix) > MOST_CELLS:
        return []
    return [[_cell(float(value)) for value in row] for row in matrix]


def _cell(value: float) -> Cell:
    if not np.isfinite(value):
        return Cell("", "#ffffff", False)
    red, green, blue = (round(255 * part) for part in CHANNEL_MAP(value)[:3])
    return Cell(f"{value:.2f}", f"rgb({red},{green},{blue})", value > 0.55)


def matrix_uri(matrix: np.ndarray) -> str:
    """Overlaps [C, C] of many classes as a picture, one pixel per cell; empty if they are a table."""
    from PIL import Image

    if len(matrix) <= MOST_CELLS:
        return ""
    colours = np.where(np.isfinite(matrix)[..., None], CHANNEL_MAP(np.nan_to_num(matrix))[..., :3], 1.0)
    return image_uri(Image.fromarray(np.rint(255 * colours).astype(np.uint8)))


def map_points(finding: DataSetFinding, names: Sequence[str]) -> list[Point]:
    """The images of the map, coloured by predicted class; colours repeat after ten classes."""
    labels = [row.label for row in finding.classes]
    records = finding.records
    points = []
    for row, (x, y) in zip(finding.rows, finding.points, strict=True):
        at = labels.index(int(records.predicted[row]))
        text = f"image {records.indices[row]}: {names[at]}, {records.clean_confidence[row]:.2f}"
        points.append(
            Point(round(1000 * float(x), 1), round(1000 - 1000 * float(y), 1), SERIES[at % len(SERIES)], text)
        )
    return points
