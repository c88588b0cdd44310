"""Files and arrays to pictures of a target's size, uint8 [H, W, C]: the evaluation view and random views."""

import io
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import numpy as np
from PIL import Image

from jaxpath.data.source import UnreadableImage
from jaxpath.types import InputError, Preprocessing

Picture = np.ndarray | Image.Image
"""A picture on its way: uint8 [H, W, C] or [H, W], or an image file that is opened and perhaps not
decoded yet, in any colour mode."""

_BILINEAR = Image.Resampling.BILINEAR

# What PIL raises on files that are damaged, truncated, enormous, or no pictures at all.
_DECODE_ERRORS = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    IndexError,
    struct.error,
    Image.DecompressionBombError,
)


def open_picture(data: bytes | np.ndarray) -> Picture:
    """Opens the bytes of an image file, without decoding it yet; an array is returned as it is.

    Raises:
        UnreadableImage: The bytes are no image.
    """
    if isinstance(data, np.ndarray):
        return data
    with _named_errors():
        return Image.open(io.BytesIO(data))


def decode(data: bytes | Picture, *, channels: int = 3) -> np.ndarray:
    """Returns the picture as uint8 [H, W, C].

    Grey, palette, CMYK and transparent pictures become RGB as in torchvision's loader: transparency
    is dropped. A flag that says the camera was turned is ignored, as there.

    Args:
        data: Bytes of an image file, or a picture.
        channels: C, 3 for RGB or 1 for grey.

    Raises:
        UnreadableImage: The bytes are no image, or the file is damaged.
    """
    picture = open_picture(data) if isinstance(data, bytes) else data
    if isinstance(picture, np.ndarray) and picture.ndim == 3 and picture.shape[2] == channels:
        return picture
    return _as_array(_as_image(picture, channels))


def center_crop(picture: Picture, preprocessing: Preprocessing) -> np.ndarray:
    """Returns the evaluation view of a picture, uint8 [*preprocessing.crop, C].

    As torchvision's ``Resize(resize)`` and ``CenterCrop(crop)`` on a PIL image: bilinear with
    antialiasing, zeros around a picture that is smaller than the crop. With ``resize=None`` a
    picture of another size is stretched to the crop, because a target can take no other.

    Raises:
        UnreadableImage: The file is damaged.
    """
    height, width = preprocessing.crop
    channels = len(preprocessing.mean)
    if preprocessing.resize is None:
        if isinstance(picture, np.ndarray) and picture.shape == (height, width, channels):
            return picture
        return _as_array(_resized(_as_image(picture, channels), (width, height)))
    image = _as_image(picture, channels)
    image = _resized(image, shorter_side_size(image.size, preprocessing.resize))
    # CenterCrop pads first, the odd pixel at the far side, and rounds to even when it crops.
    left = _offset(image.width, width)
    top = _offset(image.height, height)
    # PIL fills with zeros what lies outside.
    return _as_array(image.crop((left, top, left + width, top + height)))


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

    Raises:
        UnreadableImage: The file is damaged.

    Source: Szegedy et al. 2015, section 6; the distributions are torchvision's.
    """
    height, width = size
    box = random_box(_size(picture), rng, scale=scale, ratio=ratio)
    if isinstance(picture, Image.Image):
        box = _decode_smaller(picture, box, (width, height))
    image = _as_image(picture, channels)
    return _as_array(image.resize((width, height), _BILINEAR, box=box))


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
    channels = len(preprocessing.mean)
    return flip(random_resized_crop(picture, rng, preprocessing.crop, channels=channels), rng)


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


@contextmanager
def _named_errors() -> Iterator[None]:
    try:
        yield
    except _DECODE_ERRORS as error:
        # PIL's own message for foreign bytes names a buffer's address.
        reason = "its format is unknown" if isinstance(error, Image.UnidentifiedImageError) else str(error)
        raise UnreadableImage(reason) from error


def _size(picture: Picture) -> tuple[int, int]:
    """(width, height)."""
    return (picture.shape[1], picture.shape[0]) if isinstance(picture, np.ndarray) else picture.size


def _as_image(picture: Picture, channels: int) -> Image.Image:
    mode = "L" if channels == 1 else "RGB"
    if isinstance(picture, np.ndarray):
        grey = picture.ndim == 3 and picture.shape[2] == 1
        image = Image.fromarray(picture[..., 0] if grey else picture)
        return image if image.mode == mode else image.convert(mode)
    with _named_errors():
        picture.load()
        if picture.mode.startswith("I;16"):
            # PIL would clip 16-bit values at 255 instead of scaling them.
            picture = Image.fromarray((np.asarray(picture) >> 8).astype(np.uint8))
        elif picture.mode == "P" and "transparency" in picture.info:
            picture = picture.convert("RGBA")
        return picture if picture.mode == mode else picture.convert(mode)


def _as_array(image: Image.Image) -> np.ndarray:
    array = np.asarray(image)
    return array if array.ndim == 3 else array[..., None]


def _resized(image: Image.Image, size: tuple[int, int]) -> Image.Image:
    return image if image.size == size else image.resize(size, _BILINEAR)


def _offset(length: int, crop: int) -> int:
    """Where a central crop starts along one side; negative where zeros are added."""
    if length >= crop:
        return round((length - crop) / 2)
    return -((crop - length) // 2)


def _decode_smaller(
    image: Image.Image, box: tuple[float, float, float, float], size: tuple[int, int]
) -> tuple[float, float, float, float]:
    """Lets JPEG decode at reduced resolution if ``box`` keeps ``size``; returns the box there."""
    width, height = image.size
    reduction = min((box[2] - box[0]) / size[0], (box[3] - box[1]) / size[1])
    if reduction < 2 or image.format != "JPEG":
        return box
    with _named_errors():
        image.draft(None, (int(width / reduction), int(height / reduction)))
    x, y = image.width / width, image.height / height
    # A reduced size is rounded up, so scaling by it keeps the box inside.
    return box[0] * x, box[1] * y, min(box[2] * x, image.width), min(box[3] * y, image.height)
