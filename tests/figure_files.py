"""What can be seen in a figure that an experiment or a command wrote."""

from pathlib import Path

import numpy as np
from matplotlib.colors import to_hex
from PIL import Image

from jaxpath.report.style import CHANNEL_MAP, CLOSED, OPEN, PARTLY, SERIES

_FEWEST = 20
"""Pixels of a colour that are no accident of rounded edges."""


def series_in(path: Path) -> list[int]:
    """Places of the colours of :data:`SERIES` in which something is drawn: one per line of a chart."""
    pixels = read(path)
    return [place for place, colour in enumerate(SERIES) if count(pixels, colour) >= _FEWEST]


def num_colours(path: Path) -> int:
    """How many colours there are; a figure that shows nothing has one or two."""
    return len(np.unique(read(path).reshape(-1, 3), axis=0))


def channel_share(path: Path) -> float:
    """The share of a figure that is channels, in any shade from closed to open; a legend alone has .01."""
    pixels = read(path)
    shades = {OPEN, PARTLY, CLOSED, *(to_hex(CHANNEL_MAP(step)) for step in range(CHANNEL_MAP.N))}
    return sum(count(pixels, shade) for shade in shades) / (pixels.size // 3)


def count(pixels: np.ndarray, colour: str) -> int:
    """Pixels that have exactly this colour, ``#rrggbb``."""
    return int((pixels == np.frombuffer(bytes.fromhex(colour[1:]), np.uint8)).all(axis=-1).sum())


def read(path: Path) -> np.ndarray:
    """The pixels, uint8 [H, W, 3]."""
    return np.asarray(Image.open(path).convert("RGB"))
