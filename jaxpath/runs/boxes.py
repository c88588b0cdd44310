"""Where the objects are: boxes from a file, painted over what the target sees."""

import csv
import dataclasses
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np

from jaxpath import data
from jaxpath.metrics import Passes
from jaxpath.metrics.passes import name_of
from jaxpath.metrics.trials import REGION
from jaxpath.types import HostBatch, InputError, Preprocessing

_COLUMNS = ("path", "width", "height", "x0", "y0", "x1", "y1")


def read_boxes(path: Path, source: data.Source, preprocessing: Preprocessing) -> list[np.ndarray]:
    """The boxes of every image as the target sees it: [n, 4] each, top, left, bottom, right.

    Args:
        path: A .csv with the columns path, width, height, x0, y0, x1 and y1, in pixels of the picture. A path
            belongs to the image whose name ends with it.
        source: The images.
        preprocessing: The target's.

    Raises:
        InputError: The file cannot be read, or none of its boxes belongs to an image.
    """
    try:
        with open(path, encoding="utf-8", newline="") as file:
            rows = [[row[name] for name in _COLUMNS] for row in csv.DictReader(file)]
        numbers = np.array([row[1:] for row in rows], np.float64).reshape(-1, 6)
        # What a short line lacks is NaN.
        if not np.isfinite(numbers).all():
            line = int(np.flatnonzero(~np.isfinite(numbers).all(axis=1))[0]) + 2
            raise ValueError(f"line {line} lacks a number")
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise InputError(
            f"{path} cannot be read as boxes ({type(error).__name__}: {error}); expected a .csv with the "
            f"columns {', '.join(_COLUMNS)}"
        ) from error
    by_file: dict[str, list[int]] = {}
    for place, row in enumerate(rows):
        by_file.setdefault(Path(row[0]).name, []).append(place)
    boxes = []
    for index in range(len(source)):
        name = Path(source.name(index)).as_posix()
        mine = [place for place in by_file.get(Path(name).name, []) if name.endswith(rows[place][0])]
        parts = [_in_view(numbers[place], preprocessing) for place in mine]
        boxes.append(np.concatenate(parts) if parts else np.zeros((0, 4), np.int32))
    if not any(map(len, boxes)):
        raise InputError(
            f"none of the {len(rows)} boxes of {path} is of one of the {len(source)} images, such as "
            f"{source.name(0)}; give paths with which the pictures' names end"
        )
    return boxes


def _in_view(row: np.ndarray, preprocessing: Preprocessing) -> np.ndarray:
    """A line of the file, without its path, as a box in the target's view, [1, 4]."""
    width, height, x0, y0, x1, y1 = row
    return data.boxes_in_view(np.array([[y0, x0, y1, x1]]), (int(height), int(width)), preprocessing)


class Boxed(data.View):
    """Images of which it is known where their object is, as one target sees them.

    Attributes:
        boxes: One array [n, 4] for each image: top, left, bottom, right.
    """

    def __init__(self, source: data.Source, boxes: Sequence[np.ndarray]) -> None:
        super().__init__(source)
        self.boxes = tuple(boxes)


def boxes_seen(source: data.Source, preprocessing: Preprocessing) -> tuple[np.ndarray, ...] | None:
    """The boxes [n, 4] of every image as a target sees it; None if nothing is known of them.

    Args:
        source: Images with boxes: :class:`Boxed`, or :class:`jaxpath.data.CanvasSource`.
        preprocessing: The target's.
    """
    if isinstance(source, Boxed):
        return source.boxes
    if isinstance(source, data.CanvasSource):
        size = (source.images.shape[1], source.images.shape[2])
        return tuple(data.boxes_in_view(source.boxes, size, preprocessing)[:, None])
    return None


def region_of(boxes: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """A mask [*size], uint8: 1 in any of the boxes [n, 4]."""
    region = np.zeros(size, np.uint8)
    for top, left, bottom, right in np.maximum(boxes, 0):
        region[top:bottom, left:right] = 1
    return region


def with_boxes(passes: Passes, boxes: Sequence[np.ndarray]) -> Passes:
    """Passes whose batches say where the object is: ``region`` [b, H, W], 1 in any of the image's boxes."""
    return _Marked(passes, tuple(boxes), name_of(passes))


@dataclasses.dataclass(frozen=True)
class _Marked:
    passes: Passes
    boxes: tuple[np.ndarray, ...]
    name: Callable[[int], str] | None

    def __call__(self) -> Iterable[HostBatch]:
        for batch in self.passes():
            nowhere = np.zeros((0, 4), np.int32)
            found = [self.boxes[index] if index >= 0 else nowhere for index in batch["index"]]
            size = batch["image"].shape[1:3]
            yield {**batch, REGION: np.stack([region_of(boxes, size) for boxes in found])}
