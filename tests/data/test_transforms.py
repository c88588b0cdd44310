"""Decoding, the evaluation view and random views, against independent formulas and real crops."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from jaxpath.data import UnreadableImage, center_crop, decode, flip, folder, random_resized_crop, random_shift
from jaxpath.data.transforms import (
    AUGMENTATIONS,
    make_augmentation,
    open_picture,
    random_box,
    shorter_side_size,
)
from jaxpath.targets import make_preprocessing
from jaxpath.types import InputError, Preprocessing

RGB = ((0.5,) * 3, (0.5,) * 3)


def noise(height, width, channels=3):
    return np.random.default_rng(0).integers(256, size=(height, width, channels), dtype=np.uint8)


def encoded(image, form="PNG", **options):
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


@pytest.mark.parametrize("mode", ["L", "P", "CMYK", "RGBA", "LA", "I;16"])
@pytest.mark.parametrize("channels", [1, 3])
def test_every_colour_mode_becomes_the_channels_of_the_target(mode, channels):
    image = (
        Image.new("I;16", (5, 4), 128 * 257) if mode == "I;16" else Image.new("L", (5, 4), 128).convert(mode)
    )
    form = "TIFF" if mode == "CMYK" else "PNG"
    array = decode(encoded(image, form), channels=channels)
    assert (array.shape, array.dtype) == ((4, 5, channels), np.uint8)
    assert (np.abs(array.astype(int) - 128) <= 1).all()


def test_a_palette_with_transparency_is_decoded_without_a_warning():
    image = Image.new("P", (2, 2), 0)
    image.putpalette([10, 20, 30] + [0] * 765)
    data = encoded(image, transparency=b"\x00\xff")
    np.testing.assert_array_equal(decode(data)[0, 0], [10, 20, 30])


@pytest.mark.parametrize(
    "data", [b"", b"no picture at all", encoded(Image.new("RGB", (64, 64)), "JPEG")[:-300]]
)
def test_bytes_that_are_no_picture_are_unreadable(data):
    with pytest.raises(UnreadableImage):
        decode(data)


@pytest.mark.parametrize(
    ("size", "shorter", "expected"),
    [((500, 375), 256, (341, 256)), ((375, 500), 256, (256, 341)), ((100, 100), 256, (256, 256))],
)
def test_the_longer_side_is_rounded_down(size, shorter, expected):
    assert shorter_side_size(size, shorter) == expected


@pytest.mark.parametrize("height", [6, 7, 8, 9, 3, 4])
@pytest.mark.parametrize("width", [6, 9, 3])
def test_the_central_crop_lies_where_torchvision_puts_it(height, width):
    crop = 5
    image = noise(height, width)
    # Written after torchvision.transforms.functional.center_crop: pad both sides, then cut.
    before = [max(crop - length, 0) // 2 for length in (height, width)]
    after = [(max(crop - length, 0) + 1) // 2 for length in (height, width)]
    padded = np.pad(image, ((before[0], after[0]), (before[1], after[1]), (0, 0)))
    top, left = (round((length - crop) / 2.0) for length in padded.shape[:2])
    expected = padded[top : top + crop, left : left + crop]
    # The shorter side has its size already, so that nothing is resampled.
    view = center_crop(image, Preprocessing(min(height, width), (crop, crop), *RGB))
    np.testing.assert_array_equal(view, expected)


def test_reducing_by_two_is_the_triangle_filter_of_antialiased_bilinear():
    row = np.array([0, 0, 0, 160, 0, 0, 0, 0], np.uint8)
    image = np.broadcast_to(row[None, :, None], (8, 8, 3)).copy()
    # At half size the inputs 1.5, 0.5, 0.5 and 1.5 pixels from an output's centre weigh 1, 3, 3 and 1
    # eighths; the centres lie at 1, 3, 5 and 7 and the bright pixel at 3.5.
    view = center_crop(image, Preprocessing(4, (4, 4), *RGB))
    np.testing.assert_array_equal(view[2, :, 0], [0, 160 * 3 / 8, 160 / 8, 0])


def test_without_a_resize_the_crops_own_size_is_used_as_it_is():
    preprocessing = Preprocessing(None, (8, 8), *RGB)
    image = noise(8, 8)
    np.testing.assert_array_equal(center_crop(image, preprocessing), image)
    np.testing.assert_array_equal(
        center_crop(open_picture(encoded(Image.fromarray(image))), preprocessing), image
    )


@pytest.mark.parametrize(
    ("size", "crop", "whole"),
    # (width, height) of the picture, (height, width) of the crop, (width, height) that just covers it.
    [
        ((40, 30), (8, 8), (10, 8)),
        ((30, 40), (8, 8), (8, 10)),
        ((5, 16), (8, 8), (8, 25)),
        ((40, 40), (6, 12), (12, 12)),
        ((64, 32), (6, 12), (12, 6)),
        ((100, 32), (6, 12), (18, 6)),
    ],
)
@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic", "lanczos"])
def test_without_a_resize_another_size_covers_the_crop_and_is_not_stretched(size, crop, whole, interpolation):
    image = Image.fromarray(noise(*size[::-1]))
    resized = np.asarray(image.resize(whole, Image.Resampling[interpolation.upper()]))
    top, left = (round((length - side) / 2) for length, side in zip(whole[::-1], crop, strict=True))
    expected = resized[top : top + crop[0], left : left + crop[1]]
    view = center_crop(np.asarray(image), Preprocessing(None, crop, *RGB, interpolation))
    np.testing.assert_array_equal(view, expected)


def test_a_disc_stays_a_disc_at_every_image_size():
    y, x = np.mgrid[:300, :500]
    disc = (((x - 250) ** 2 + (y - 150) ** 2 < 80**2) * 255).astype(np.uint8)[..., None]
    for image_size in (None, 32, 96, (60, 90), 112, 224, 300):
        preprocessing = make_preprocessing(image_size, 1)
        view = center_crop(disc, preprocessing)[..., 0] > 127
        height, width = view.any(axis=1).sum(), view.any(axis=0).sum()
        assert abs(height - width) <= 1, image_size


def test_the_image_size_of_the_default_is_the_default():
    photograph = noise(375, 500)
    view = center_crop(photograph, make_preprocessing(224))
    np.testing.assert_array_equal(view, center_crop(photograph, make_preprocessing()))


@pytest.mark.parametrize("interpolation", ["nearest", "bilinear", "bicubic", "lanczos"])
def test_views_are_resampled_as_the_target_says(interpolation):
    image = Image.fromarray(noise(50, 75))
    preprocessing = Preprocessing(20, (16, 16), *RGB, interpolation)
    resized = np.asarray(image.resize((30, 20), Image.Resampling[interpolation.upper()]))
    np.testing.assert_array_equal(center_crop(np.asarray(image), preprocessing), resized[2:18, 7:23])
    # The whole picture, by the only box that is allowed.
    view = random_resized_crop(
        np.asarray(image),
        np.random.default_rng(0),
        (20, 30),
        scale=(1, 1),
        ratio=(1.5, 1.5),
        interpolation=interpolation,
    )
    np.testing.assert_array_equal(view, resized)
    augmented = AUGMENTATIONS["crop_flip"](np.asarray(image), np.random.default_rng(1), preprocessing)
    expected = flip(
        random_resized_crop(
            np.asarray(image), rng := np.random.default_rng(1), (16, 16), interpolation=interpolation
        ),
        rng,
    )
    np.testing.assert_array_equal(augmented, expected)


def test_the_evaluation_view_equals_the_crops_that_pytorch_made(shared_data):
    preprocessing = Preprocessing(256, (224, 224), (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    with np.load(shared_data / "imagenet" / "resnet18_logits_first16.npz") as reference:
        crops, labels = reference["images"], reference["labels"]
    source = folder(shared_data / "imagenet" / "images")
    for row, (crop, label) in enumerate(zip(crops, labels, strict=True)):
        example = source[row]
        assert example["label"] == label
        view = center_crop(open_picture(example["image"]), preprocessing)
        # Two versions of libjpeg may round differently.
        assert np.abs(view.astype(int) - crop).max() <= 2, source.name(row)
        assert (view != crop).mean() < 0.01


def test_a_random_box_has_an_allowed_area_and_shape():
    rng = np.random.default_rng(0)
    boxes = np.array([random_box((500, 375), rng, scale=(0.2, 0.6), ratio=(0.5, 2)) for _ in range(300)])
    widths, heights = boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1]
    areas = widths * heights / (500 * 375)
    assert boxes.min() >= 0 and boxes[:, 2].max() <= 500 and boxes[:, 3].max() <= 375
    assert 0.19 < areas.min() < 0.25 and 0.5 < areas.max() < 0.61
    assert (widths / heights).min() > 0.49 and (widths / heights).max() < 2.02


def test_an_extreme_picture_gives_its_largest_central_part():
    box = random_box((1000, 10), np.random.default_rng(0), scale=(0.9, 1), ratio=(3 / 4, 4 / 3))
    assert box == (493, 0, 506, 10)


def test_a_large_jpeg_decoded_at_reduced_size_shows_the_same_part():
    gradient = np.linspace(0, 255, 1600).astype(np.uint8)
    image = np.broadcast_to(gradient[None, :, None], (1200, 1600, 3)).copy()
    picture = open_picture(encoded(Image.fromarray(image), "JPEG", quality=95))
    view = random_resized_crop(picture, np.random.default_rng(3), (64, 64), scale=(0.5, 0.6))
    assert picture.size != (1600, 1200)
    expected = random_resized_crop(image, np.random.default_rng(3), (64, 64), scale=(0.5, 0.6))
    assert np.abs(view.astype(int) - expected).max() <= 3


def test_a_flip_mirrors_about_half_of_the_images():
    image = noise(4, 6)
    rng = np.random.default_rng(0)
    flipped = [np.array_equal(flip(image, rng), image[:, ::-1]) for _ in range(200)]
    assert 70 < sum(flipped) < 130


def test_a_shift_moves_the_image_and_zeros_move_in():
    image = noise(5, 5, 1) // 2 + 1
    padded = np.pad(image, ((2, 2), (2, 2), (0, 0)))
    windows = {padded[y : y + 5, x : x + 5].tobytes(): (y, x) for y in range(5) for x in range(5)}
    rng = np.random.default_rng(0)
    shifts = [windows[random_shift(image, rng, 2).tobytes()] for _ in range(400)]
    assert len(set(shifts)) == 25


@pytest.mark.parametrize("name", AUGMENTATIONS)
@pytest.mark.parametrize("shape", [(40, 50, 3), (32, 32, 3), (28, 28, 1)])
def test_every_augmentation_gives_pictures_of_the_targets_size(name, shape):
    preprocessing = Preprocessing(None, (32, 32), *RGB)
    augment = make_augmentation(name)
    views = [augment(noise(*shape), np.random.default_rng(seed), preprocessing) for seed in (0, 0, 1)]
    assert all(view.shape == (32, 32, 3) and view.dtype == np.uint8 for view in views)
    np.testing.assert_array_equal(views[0], views[1])
    assert np.array_equal(views[0], views[2]) == (name == "none")


def test_an_unknown_augmentation_lists_the_names():
    with pytest.raises(InputError, match=f'"mixup"; choose one of {", ".join(AUGMENTATIONS)}'):
        make_augmentation("mixup")


def test_the_readable_wnids_are_a_thousand(shared_data):
    assert len(set(json.loads((shared_data / "imagenet" / "wnids.json").read_text()))) == 1000
