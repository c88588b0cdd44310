"""What can be seen in a figure that an experiment wrote."""

from pathlib import Path

import numpy as np
from PIL import Image

from jaxpath.report.style import SERIES

_FEWEST = 20
"""Pixels of a colour that are no accident of rounded edges."""


def series_in(path: Path) -> list[int]:
    """Places of the colours of :data:`SERIES` in which something is drawn: one per line of a chart."""
    pixels = np.asarray(Image.open(path).convert("RGB"))
    return [place for place, colour in enumerate(SERIES) if count(pixels, colour) >= _FEWEST]


def count(pixels: np.ndarray, colour: str) -> int:
    """Pixels that have exactly this colour, ``#rrggbb``."""
    return int((pixels == np.frombuffer(bytes.fromhex(colour[1:]), np.uint8)).all(axis=-1).sum())
