"""Figures as files: what is really on the picture."""

import numpy as np
from PIL import Image

from jaxpath.report import save_figure

DPI = 40


def check_drawn(figure, path, *, num_axes):
    """Saves the figure and looks at the file: its size, and that none of so many axes is blank."""
    assert save_figure(figure, path, dpi=DPI) == path
    picture = np.asarray(Image.open(path).convert("L"))
    height, width = picture.shape
    np.testing.assert_allclose((width, height), figure.get_size_inches() * DPI, atol=1)
    assert len(figure.axes) == num_axes
    for axes in figure.axes:
        left, bottom, right, top = axes.get_tightbbox().extents / np.tile(figure.bbox.size, 2)
        # Rows are counted from above.
        rows = slice(max(0, round(height * (1 - top))), round(height * (1 - bottom)))
        part = picture[rows, max(0, round(width * left)) : round(width * right)]
        assert part.size and part.min() < 200, f"nothing is drawn into {axes}"
