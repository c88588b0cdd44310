"""Colours, sizes and text of the figures; blue is always an open channel."""

import math

from matplotlib.colors import LinearSegmentedColormap

from jaxpath.markup import percent as percent

OPEN = "#0b4f8a"
PARTLY = "#7fb2dd"
CLOSED = "#e9ecef"
CLEAN = "#a3aab2"
OWN = "#d1660c"
WRONG = "#b8430a"
INK = "#1f2933"
MUTED = "#66707a"

SERIES = (
    "#0b4f8a",
    "#d1660c",
    "#2a8a5b",
    "#8b3fa0",
    "#e3a712",
    "#7a6a00",
    "#1796a6",
    "#5c6670",
    "#e05a9c",
    "#3b3bb0",
)
"""Lines of several things in one panel; markers tell them apart where colours do not."""

CHANNEL_MAP = LinearSegmentedColormap.from_list("channel", [CLOSED, PARTLY, OPEN])
"""Closed to open; one hue, so that it reads without colour vision and in print."""

TITLE = 12
TEXT = 9
SMALL = 7.5

_MAX_NAME = 24


def literal(text: object) -> str:
    """Text on one line that matplotlib draws as it stands: two dollar signs start no formula.

    What is not Unicode, as in some file names, is drawn as a code; matplotlib takes none of it.
    """
    drawable = str(text).encode("utf-8", "backslashreplace").decode()
    return " ".join(drawable.split()).replace("$", r"\$")


def number(value: float, digits: int = 2) -> str:
    """A figure with so many decimals, or a dash for one that does not exist.

    >>> number(0.125), number(0.125, digits=3), number(float("nan"))
    ('0.12', '0.125', '-')
    """
    return f"{value:.{digits}f}" if math.isfinite(value) else "-"


def short(name: object) -> str:
    """A name as one short line of literal text.

    >>> short("tench, Tinca tinca (a freshwater fish)")
    'tench, Tinca tinca (a...'
    """
    text = " ".join(str(name).split())
    if len(text) > _MAX_NAME:
        text = text[: _MAX_NAME - 3].rstrip() + "..."
    return literal(text)
