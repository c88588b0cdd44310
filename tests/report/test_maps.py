"""Maps over images: what is drawn where."""

import numpy as np
import pytest

from jaxpath import report
from jaxpath.types import InputError

IMAGES = np.random.default_rng(0).integers(0, 256, (2, 6, 5, 1), dtype=np.uint8)


def test_every_map_lies_over_its_image_from_0_to_its_largest_value():
    maps = {"attention": np.full((2, 6, 5), 0.25), "gradient": np.full((2, 6, 5), -1.0)}
    figure = report.plot_maps(IMAGES, maps, boxes=np.array([[1, 2, 4, 5]] * 2), captions=["a 3", "a $5$"])
    assert len(figure.axes) == 2 * 3
    image, attention, gradient = figure.axes[:3]
    assert [axes.get_title(loc="left") for axes in (attention, gradient)] == ["attention", "gradient"]
    assert image.get_title(loc="left") == "a 3"
    assert attention.images[1].get_clim() == (0, 0.25)
    assert not gradient.images[1].get_array().any()
    box = image.patches[0]
    assert (box.get_xy(), box.get_width(), box.get_height()) == ((1.5, 0.5), 3, 3)


def test_maps_of_another_size_are_refused():
    with pytest.raises(InputError, match="'small'"):
        report.plot_maps(IMAGES, {"small": np.zeros((2, 3, 5))})
