"""Files and arrays to pictures of a target's size, uint8 [H, W, C]: the evaluation view and random views."""

import math
from collections.abc import Callable
from typing import NamedTuple, TypeGuard

import numpy as np
from PIL import Image

from jaxpath.data.decoding import (
    LARGE,
    Picture,
    alone_if_large,
    as_array,
    as_image,
    draft,
    is_swapped,
    open_picture,
    stored_size,
    upright,
    upright_size,
)
from jaxpath.types import InputError, Interpolation, Preprocessing

_FILTERS: dict[Interpolation, Image.Resampling] = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}

_THIN = 16
"""Longer side over shorter side from which on a picture is cropped before it is resized."""

_REACH = 3
"""Pixels to each side that the widest filter looks at."""


def decode(data: bytes | Picture, *, channels: int = 3, most_pixels: int | None = None) -> np.ndarray:
    """Returns the picture as uint8 [H, W, C], turned as its camera was held.

    Grey, palette, CMYK and transparent pictures become RGB as in torchvision's loader: transparency
    is dropped. Values of more than 8 bits are scaled. Of a file with several pictures it is the first.

    Args:
        data: Bytes of an image file, or a picture.
        channels: C, 3 for RGB or 1 for grey.
        most_pixels: A picture of more is made smaller, so that memory is bounded: blocks of its pixels are
            averaged. And of one more than 16 times as long as wide, the middle is taken. None keeps it whole.

    Raises:
        UnreadableImage: The bytes are no image, the file is damaged or too large, or its values have an
            unknown scale.
        InputError: An array is not uint8 [H, W, C] or [H, W].
    """
    picture = open_picture(data) if isinstance(data, bytes) else data
    if _is_array_of(picture, channels):
        return picture
    with alone_if_large(picture):
        shrink, margins = 1, (0, 0)
        if most_pixels is not None:
            width, height = stored_size(picture)
            longest = _THIN * min(width, height)
            margins = max(0, (width - longest) // 2), max(0, (height - longest) // 2)
            pixels = (width - 2 * margins[0]) * (height - 2 * margins[1])
            shrink = max(1, math.ceil(math.sqrt(pixels / most_pixels)))
        return as_array(upright(as_image(picture, channels, shrink=shrink, margins=margins), picture))


def center_crop(picture: Picture, preprocessing: Preprocessing) -> np.ndarray:
    """Returns the evaluation view of a picture, uint8 [*preprocessing.crop, C].

    As torchvision's ``Resize(resize)`` and ``CenterCrop(crop)`` on a PIL image, with its interpolation and
    antialiasing; zeros around a picture that is smaller than the crop. With ``resize=None`` a picture of
    the crop's size is used as it is, and another one is resized until it just covers the crop. Nothing is
    stretched.

    Memory is bounded for any picture: thin ones are cropped before they are resized, which is the same, and
    those of more than :data:`~jaxpath.data.decoding.LARGE` pixels resized in two steps, which is nearly so.

    Raises:
        UnreadableImage: The file is damaged or too large, or its values have an unknown scale.
        InputError: An array is not uint8 [H, W, C] or [H, W].
    """
    height, width = preprocessing.crop
    channels = len(preprocessing.mean)
    if (
        _is_array_of(picture, channels)
        and preprocessing.resize is None
        and picture.shape[:2] == (height, width)
    ):
        return picture
    with alone_if_large(picture):
        size = upright_size(picture)
        whole = resized_size(size, preprocessing)
        left, top = crop_offset(whole[0], width), crop_offset(whole[1], height)
        resample = _FILTERS[preprocessing.interpolation]
        if max(size) >= _THIN * min(size):
            return _center_of_thin(picture, preprocessing, whole)
        if math.prod(size) > LARGE:
            image = _resized_in_two_steps(picture, channels, whole, resample)
        else:
            image = upright(as_image(picture, channels), picture)
            image = image if image.size == whole else image.resize(whole, resample)
        # PIL fills with zeros what lies outside.
        return as_array(image.crop((left, top, left + width, top + height)))


def _is_array_of(picture: Picture, channels: int) -> TypeGuard[np.ndarray]:
    return (
        isinstance(picture, np.ndarray)
        and picture.dtype == np.uint8
        and picture.ndim == 3
        and picture.shape[2] == channels
    )


def resized_size(size: tuple[int, int], preprocessing: Preprocessing) -> tuple[int, int]:
    """(width, height) of the whole picture before the crop."""
    if preprocessing.resize is not None:
        return shorter_side_size(size, preprocessing.resize)
    (width, height), (crop_height, crop_width) = size, preprocessing.crop
    if crop_width * height >= crop_height * width:
        return crop_width, int(crop_width * height / width)
    return int(crop_height * width / height), crop_height


def _resized_in_two_steps(
    picture: Picture, channels: int, whole: tuple[int, int], resample: Image.Resampling
) -> Image.Image:
    """A large picture of the size ``whole``, upright: by averages over blocks of its pixels."""
    # In the file's own directions, where blocks begin at the first pixel.
    whole = whole[::-1] if is_swapped(picture) else whole
    width, height = stored_size(picture)
    # With a third of the reduction left to it, the filter's result differs by a grey level or two.
    reduction = max(1, int(min(width / whole[0], height / whole[1]) / 3))
    if resample == Image.Resampling.NEAREST:
        reduction = 1
    draft(picture, reduction)
    drafted = stored_size(picture)[0]
    shrink = max(1, reduction * drafted // width)
    image = as_image(picture, channels, shrink=shrink)
    factor = shrink * max(1, round(width / drafted))
    return upright(image.resize(whole, resample, box=(0, 0, width / factor, height / factor)), picture)


def _center_of_thin(picture: Picture, preprocessing: Preprocessing, whole: tuple[int, int]) -> np.ndarray:
    """The evaluation view by way of the part of the picture that it shows, and no more."""
    size = upright_size(picture)
    spans = [_Span.of(*lengths) for lengths in zip(size, whole, preprocessing.crop[::-1], strict=True)]
    margins = (spans[0].margin, spans[1].margin)
    image = as_image(
        picture, len(preprocessing.mean), margins=margins[::-1] if is_swapped(picture) else margins
    )
    (x, y), image = spans, upright(image, picture)
    box = (x.start, y.start, min(x.stop, image.width), min(y.stop, image.height))
    image = image.resize((x.shown, y.shown), _FILTERS[preprocessing.interpolation], box=box)
    height, width = preprocessing.crop
    left, top = min(crop_offset(whole[0], width), 0), min(crop_offset(whole[1], height), 0)
    return as_array(image.crop((left, top, left + width, top + height)))


class _Span(NamedTuple):
    """What a central crop shows of a picture along one side.

    Attributes:
        margin: Pixels of the picture that can be left out at each end.
        start: Where the shown part begins behind the margin, in pixels of the picture.
        stop: Where it ends.
        shown: Its length in pixels of the crop.
    """

    margin: int
    start: float
    stop: float
    shown: int

    @classmethod
    def of(cls, length: int, whole: int, crop: int) -> "_Span":
        """The span of a picture of ``length`` that is resized to ``whole`` and cropped to ``crop``."""
        scale = length / whole
        first = max(crop_offset(whole, crop), 0)
        shown = min(crop, whole)
        start, stop = first * scale, (first + shown) * scale
        # The same at both ends, so that it is the same after any turn.
        margin = max(0, int(min(start, length - stop) - _REACH * max(scale, 1)))
        return cls(margin, start - margin, stop - margin, shown)


def shorter_side_size(size: tuple[int, int], shorter: int) -> tuple[int, int]:
    """Returns ``size`` scaled so that its shorter side is ``shorter``, the longer one rounded down."""
    width, height = size
    if width <= height:
        return shorter, int(shorter * height / width)
    return int(shorter * width / height), shorter


def random_resized_crop(
    picture: Picture,
    rng: np.random.Generator,
    size: tuple[int, int],
    *,
    channels: int = 3,
    scale: tuple[float, float] = (0.08, 1.0),
    ratio: tuple[float, float] = (3 / 4, 4 / 3),
    interpolation: Interpolation = "bilinear",
) -> np.ndarray:
    """Returns a random part of a picture, resized to uint8 [*size, C].

    Args:
        picture: The picture. Where the part is at least twice as large as ``size``, a JPEG file is
            decoded at a half, a quarter or an eighth of its resolution, which is faster.
        rng: Source of randomness.
        size: (H, W) of the result.
        channels: C, 3 or 1.
        scale: Smallest and largest area of the part, as a fraction of the picture's.
        ratio: Smallest and largest width over height of the part.
        interpolation: How pixels are resampled, with antialiasing.

    Raises:
        UnreadableImage: The file is damaged or too large, or its values have an unknown scale.
        InputError: An array is not uint8 [H, W, C] or [H, W].

    Source: Szegedy et al. 2015, section 6; the distributions are torchvision's.
    """
    height, width = size
    with alone_if_large(picture):
        before = upright_size(picture)
        box = random_box(before, rng, scale=scale, ratio=ratio)
        reduction = min((box[2] - box[0]) / width, (box[3] - box[1]) / height)
        pixels = math.prod(before)
        draft(picture, reduction)
        is_drafted = math.prod(upright_size(picture)) < pixels
        shrink = max(1, int(reduction / 2)) if pixels > LARGE and not is_drafted else 1
        image = upright(as_image(picture, channels, shrink=shrink), picture)
        # A reduced size is rounded up, so scaling by it keeps the box inside.
        x, y = image.width / before[0], image.height / before[1]
        box = box[0] * x, box[1] * y, min(box[2] * x, image.width), min(box[3] * y, image.height)
        return as_array(image.resize((width, height), _FILTERS[interpolation], box=box))


def random_box(
    size: tuple[int, int],
    rng: np.random.Generator,
    *,
    scale: tuple[float, float],
    ratio: tuple[float, float],
) -> tuple[float, float, float, float]:
    """Returns a random part (left, top, right, bottom) of a picture of ``size`` (width, height)."""
    width, height = size
    low, high = np.log(ratio)
    for _ in range(10):
        area = width * height * rng.uniform(*scale)
        aspect = np.exp(rng.uniform(low, high))
        w, h = round(np.sqrt(area * aspect)), round(np.sqrt(area / aspect))
        if 0 < w <= width and 0 < h <= height:
            left, top = int(rng.integers(width - w + 1)), int(rng.integers(height - h + 1))
            return left, top, left + w, top + h
    # A picture of an extreme shape: the largest central part of an allowed one.
    w, h = min(width, round(height * ratio[1])), min(height, round(width / ratio[0]))
    left, top = (width - w) // 2, (height - h) // 2
    return left, top, left + w, top + h


def flip(image: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Returns the image [H, W, C], mirrored left to right every other time."""
    return image[:, ::-1] if rng.random() < 0.5 else image


def random_shift(image: np.ndarray, rng: np.random.Generator, distance: int) -> np.ndarray:
    """Returns the image [H, W, C] moved by up to ``distance`` pixels each way, zeros moving in."""
    height, width, channels = image.shape
    # Twice as fast as rng.integers with a size, which counts for pictures of 8 x 8 pixels.
    down, right = (int(rng.random() * (2 * distance + 1)) for _ in range(2))
    padded = np.zeros((height + 2 * distance, width + 2 * distance, channels), image.dtype)
    padded[down : down + height, right : right + width] = image
    return padded[distance : distance + height, distance : distance + width]


Augment = Callable[[Picture, np.random.Generator, Preprocessing], np.ndarray]
"""``augment(picture, rng, preprocessing)`` -> uint8 [*preprocessing.crop, C].

``picture`` may be an image file that is not decoded yet: begin with :func:`decode`, :func:`center_crop`
or :func:`random_resized_crop`. With worker processes it must be a function
that can be pickled."""


def no_augmentation(picture: Picture, rng: np.random.Generator, preprocessing: Preprocessing) -> np.ndarray:
    """The evaluation view."""
    del rng
    return center_crop(picture, preprocessing)


def crop_flip(picture: Picture, rng: np.random.Generator, preprocessing: Preprocessing) -> np.ndarray:
    """A random part of the picture, mirrored at random: for photographs."""
    view = random_resized_crop(
        picture,
        rng,
        preprocessing.crop,
        channels=len(preprocessing.mean),
        interpolation=preprocessing.interpolation,
    )
    return flip(view, rng)


def shift(picture: Picture, rng: np.random.Generator, preprocessing: Preprocessing) -> np.ndarray:
    """The evaluation view moved by up to an eighth of its height: for digits."""
    image = center_crop(picture, preprocessing)
    return random_shift(image, rng, max(1, image.shape[0] // 8))


def small_shift(picture: Picture, rng: np.random.Generator, preprocessing: Preprocessing) -> np.ndarray:
    """The evaluation view moved by up to a sixteenth of its height: 2 of 32 pixels, as FLINT does."""
    image = center_crop(picture, preprocessing)
    return random_shift(image, rng, max(1, image.shape[0] // 16))


def shift_flip(picture: Picture, rng: np.random.Generator, preprocessing: Preprocessing) -> np.ndarray:
    """:func:`shift`, mirrored at random: 4 of 32 pixels, as usual for CIFAR (He et al. 2016)."""
    return flip(shift(picture, rng, preprocessing), rng)


AUGMENTATIONS: dict[str, Augment] = {
    "none": no_augmentation,
    "crop_flip": crop_flip,
    "shift": shift,
    "small_shift": small_shift,
    "shift_flip": shift_flip,
}


def make_augmentation(augment: str | Augment) -> Augment:
    """Returns the augmentation of this name, or the function itself.

    Raises:
        InputError: No such name.
    """
    if callable(augment):
        return augment
    if augment not in AUGMENTATIONS:
        raise InputError(f'there is no augmentation "{augment}"; choose one of {", ".join(AUGMENTATIONS)}')
    return AUGMENTATIONS[augment]


def crop_offset(length: int, crop: int) -> int:
    """Where a central crop starts along one side; negative where zeros are added."""
    # CenterCrop pads first, the odd pixel at the far side, and rounds to even when it crops.
    if length >= crop:
        return round((length - crop) / 2)
    return -((crop - length) // 2)
