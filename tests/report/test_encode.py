import base64
import io

import numpy as np
import pytest
from PIL import Image

from jaxpath.report import save_saliency
from jaxpath.report.charts import density_bars, matrix_cells
from jaxpath.report.encode import as_picture, heat_over, image_uri, is_small


def decoded(uri: str) -> Image.Image:
    return Image.open(io.BytesIO(base64.b64decode(uri.partition(",")[2])))


@pytest.mark.parametrize("channels", [1, 3])
def test_small_pictures_are_kept_exactly(channels):
    image = np.random.default_rng(0).integers(0, 256, (8, 9, channels), dtype=np.uint8)
    again = np.asarray(decoded(image_uri(as_picture(image), exact=is_small(image)))).reshape(image.shape)
    np.testing.assert_array_equal(again, image)


def test_large_pictures_are_reduced_jpegs():
    image = np.tile(np.arange(200, dtype=np.uint8)[:, None, None], (1, 300, 3))
    reduced = decoded(image_uri(as_picture(image, side=150), exact=is_small(image)))
    assert (reduced.format, reduced.size) == ("JPEG", (150, 100))
    assert abs(np.asarray(reduced)[50].mean() - 100) < 4


@pytest.mark.parametrize("side", [16, 120])
def test_heat_is_where_the_magnitude_is_and_nowhere_else(side):
    saliency = np.zeros((side, side))
    saliency[: side // 4, : side // 4] = -3.0
    heat = np.asarray(heat_over(np.full((side, side, 3), 128, np.uint8), saliency)).astype(int)
    red, blue = heat[..., 0], heat[..., 2]
    assert (red - blue)[side // 8, side // 8] > 80
    assert (red == blue)[side // 2 :].all()


def test_a_map_of_zeros_is_the_grey_picture():
    heat = np.asarray(heat_over(np.full((16, 16, 3), 128, np.uint8), np.zeros((16, 16))))
    assert (heat == heat[0, 0]).all() and len(set(heat[0, 0])) == 1


def test_a_picture_and_its_maps_stand_side_by_side_in_a_file(tmp_path):
    path = save_saliency(np.zeros((8, 8, 1), np.uint8), np.ones((2, 8, 8)), tmp_path / "new" / "s.png")
    with Image.open(path) as sheet:
        assert sheet.size == (3 * 160 + 2 * 12, 160)
        assert sheet.getpixel((5, 5)) == (0, 0, 0) and sheet.getpixel((165, 5)) == (255, 255, 255)


def test_the_bins_of_a_histogram_hold_every_image():
    densities = np.random.default_rng(0).random(500)
    bins = density_bars(densities)
    assert sum(b.num_images for b in bins) == 500 and max(b.height for b in bins) == 1
    assert (bins[0].low, bins[-1].high) == (densities.min(), densities.max())
    assert len(density_bars(np.full(7, 0.2))) == 1


def test_cells_show_two_digits_and_nothing_where_there_is_no_pair():
    (first, second), _ = matrix_cells(np.array([[0.734, np.nan], [0.1, 0.2]]))
    assert (first.text, first.light, second.text, second.colour) == ("0.73", True, "", "#ffffff")
