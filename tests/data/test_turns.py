"""Pictures are turned as their cameras were held, or not where that is asked for."""

import io

import numpy as np
import pytest
from picture_files import TURNS, encoded, noise, noted
from PIL import Image, ImageOps

from jaxpath import data
from jaxpath.data import center_crop, decode, random_resized_crop
from jaxpath.data.decoding import open_picture
from jaxpath.types import Preprocessing

RGB = ((0.5,) * 3, (0.5,) * 3)


@pytest.mark.parametrize("orientation", TURNS)
@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_a_picture_is_turned_as_the_camera_was_held(orientation, form):
    image = Image.fromarray(noise(40, 70))
    options = {"lossless": True} if form == "WEBP" else {}
    content = noted(image, orientation, form, **options)
    stored = decode(encoded(image, form, **options))
    upright = TURNS[orientation](stored)
    np.testing.assert_array_equal(decode(content), upright)
    np.testing.assert_array_equal(decode(content), ImageOps.exif_transpose(Image.open(io.BytesIO(content))))
    # The crop of the upright picture, not the crop turned: the odd pixel of a side stays where it is.
    preprocessing = Preprocessing(33, (20, 30), *RGB)
    np.testing.assert_array_equal(
        center_crop(open_picture(content), preprocessing), center_crop(upright, preprocessing)
    )


def test_a_picture_that_is_turned_shows_the_same_random_part_at_reduced_size():
    gradient = np.linspace(0, 255, 1600).astype(np.uint8)
    image = Image.fromarray(np.broadcast_to(gradient[None, :, None], (1200, 1600, 3)).copy())
    picture = open_picture(noted(image, 6, "JPEG", quality=95))
    view = random_resized_crop(picture, np.random.default_rng(3), (64, 64), scale=(0.5, 0.6))
    assert picture.size != (1600, 1200)
    upright = np.rot90(np.asarray(image), -1)
    expected = random_resized_crop(upright.copy(), np.random.default_rng(3), (64, 64), scale=(0.5, 0.6))
    assert np.abs(view.astype(int) - expected).max() <= 3


@pytest.mark.parametrize("note", [b"Exif\0\0nonsense", b"Exif\0\0II*\0\xff\xff\xff\xff", b"Exif\0\0"])
@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_a_damaged_note_does_not_lose_the_picture(note):
    image = Image.fromarray(noise(8, 8))
    np.testing.assert_array_equal(decode(encoded(image, "JPEG", exif=note)), decode(encoded(image, "JPEG")))


def test_turns_are_ignored_where_that_is_asked_for(tmp_path):
    image = Image.fromarray(noise(8, 12))
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x.png").write_bytes(noted(image, 6))
    source = data.folder(tmp_path)
    as_stored = data.ignore_exif(source)
    preprocessing = Preprocessing(8, (8, 8), *RGB)
    for part in (as_stored, data.Subset(as_stored, [0]), data.concatenate([as_stored, source])):
        batch = next(data.eval_batches(part, batch_size=1, preprocessing=preprocessing))
        np.testing.assert_array_equal(batch["image"][0], center_crop(np.asarray(image), preprocessing))
    turned = next(data.eval_batches(source, batch_size=1, preprocessing=preprocessing))["image"][0]
    np.testing.assert_array_equal(turned, np.rot90(batch["image"][0], -1))
    assert as_stored.class_names == ("a",) and as_stored.name(0) == source.name(0)
