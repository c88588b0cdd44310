"""Image files to 8-bit pictures in memory: colour modes, scales of values, turns, and what is refused."""

import io
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext

import numpy as np
from PIL import ExifTags, Image

from jaxpath.data.exif import StoredBytes
from jaxpath.data.source import UnreadableImage
from jaxpath.types import InputError

Picture = np.ndarray | Image.Image
"""A picture on its way: uint8 [H, W, C] or [H, W], or an image file that is opened and perhaps not
decoded yet, in any colour mode."""

LARGE = 2**24
"""Pixels from which on a picture is decoded alone, and made smaller on the way where that is possible."""

MOST_MEMORY = 2**29
"""Bytes that decoding one picture may take."""

# Bytes per pixel while PIL decodes, measured; the last two keep all of the picture in several forms.
_BYTES_PER_PIXEL = {"AVIF": 10, "WEBP": 16, "JPEG2000": 20}
_USUAL_BYTES_PER_PIXEL = 6

_JPEG = ("JPEG", "MPO")
"""Formats whose size and EXIF are known, and can be reduced, before anything is decoded."""

_STORED = "jaxpath as stored"

_MIN_IS_WHITE = 0
_SIGNED = 2
_TIFF_BITS, _TIFF_PHOTOMETRIC, _TIFF_MAX_VALUE, _TIFF_FORMAT = 258, 262, 281, 339

_LEAST_OF_16_BITS = 4096
"""A picture of 16 bits without a value as high would be nearly black: more likely it has 10 or 12 bits."""

_LEAST_OF_255 = 16
"""The same for floats up to 255."""

_OVERSHOOT = 0.1
"""Share of white by which resampling may exceed white, and undershoot black."""

_one_large = threading.Lock()

_TURNS = {
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
"""EXIF's orientation -> what makes the picture upright."""

_SWAPPED = (5, 6, 7, 8)


def open_picture(data: bytes | np.ndarray) -> Picture:
    """Opens the bytes of an image file, without decoding it yet; an array is returned as it is.

    Of a file with several pictures it is the first.

    Raises:
        UnreadableImage: The bytes are no image, or one too large to be decoded in :data:`MOST_MEMORY`.
    """
    if isinstance(data, np.ndarray):
        return data
    with _named_errors():
        picture = Image.open(io.BytesIO(data))
    most = MOST_MEMORY // _BYTES_PER_PIXEL.get(picture.format or "", _USUAL_BYTES_PER_PIXEL)
    if picture.width * picture.height > most:
        raise UnreadableImage(
            f"it has {picture.width:,} x {picture.height:,} pixels, and {picture.format} files of at most "
            f"{most:,} pixels are read; make it smaller"
        )
    if isinstance(data, StoredBytes):
        picture.info[_STORED] = True
    return picture


@contextmanager
def alone_if_large(picture: Picture) -> Iterator[None]:
    """While the block lasts, no other thread works on a large picture: memory holds one of them."""
    width, height = stored_size(picture)
    with _one_large if width * height > LARGE else nullcontext():
        yield


def stored_size(picture: Picture) -> tuple[int, int]:
    """(width, height) as in the file or array."""
    return (picture.shape[1], picture.shape[0]) if isinstance(picture, np.ndarray) else picture.size


def upright_size(picture: Picture) -> tuple[int, int]:
    """(width, height) after the turn that the camera has noted."""
    orientation = _orientation(picture)
    width, height = stored_size(picture)
    return (height, width) if orientation in _SWAPPED else (width, height)


def is_swapped(picture: Picture) -> bool:
    """Whether the turn swaps width and height."""
    return _orientation(picture) in _SWAPPED


def upright(image: Image.Image, picture: Picture) -> Image.Image:
    """``image``, made of ``picture`` by :func:`as_image`, after the turn that the camera has noted."""
    turn = _TURNS.get(_orientation(picture))
    return image if turn is None else image.transpose(turn)


def draft(picture: Picture, reduction: float) -> None:
    """Lets a JPEG file be decoded at a half, a quarter or an eighth, if ``reduction`` is as much."""
    if reduction >= 2 and isinstance(picture, Image.Image) and picture.format in _JPEG:
        width, height = picture.size
        with _named_errors():
            picture.draft(None, (int(width / reduction), int(height / reduction)))


def as_image(
    picture: Picture, channels: int, *, shrink: int = 1, margins: tuple[int, int] = (0, 0)
) -> Image.Image:
    """A picture as a PIL image of mode RGB or L, decoded, not turned.

    Values of 16 bits are divided by 256, values from 0 to 1 scaled likewise. Transparency is dropped, as in
    torchvision's loader.

    Args:
        picture: The picture.
        channels: 3 or 1.
        shrink: Side of the blocks of pixels that are averaged to one; strip by strip, so that no second
            picture of the full size is held.
        margins: Columns at the left and right, and rows at top and bottom, to be left out.

    Raises:
        UnreadableImage: The file is damaged, or its values have an unknown scale.
        InputError: An array is not uint8 [H, W, C] or [H, W].
    """
    mode = "L" if channels == 1 else "RGB"
    if isinstance(picture, np.ndarray):
        picture = _of_array(picture)
    with _named_errors():
        picture.load()
        in_eight_bits = _find_scale(picture)
        image = picture
        if any(margins):
            (x, y), (width, height) = margins, picture.size
            image = picture.crop((x, y, width - x, height - y))
        if shrink == 1:
            return _in_mode(in_eight_bits(image), mode)
        width, height = image.size
        small = Image.new(mode, (-(-width // shrink), -(-height // shrink)))
        for number, strip in enumerate(_strips(image, shrink)):
            reduced = _in_mode(in_eight_bits(strip), mode).reduce(shrink)
            small.paste(reduced, (0, number * _strip_height(image, shrink) // shrink))
        return small


def as_array(image: Image.Image) -> np.ndarray:
    """uint8 [H, W, C]."""
    array = np.asarray(image)
    return array if array.ndim == 3 else array[..., None]


@contextmanager
def _named_errors() -> Iterator[None]:
    """PIL's errors as :class:`UnreadableImage`. Its readers raise whatever a damaged file leads them to."""
    try:
        yield
    except InputError:
        raise
    except Exception as error:
        raise UnreadableImage(_reason(error)) from error


def _reason(error: Exception) -> str:
    # PIL's own message for foreign bytes names a buffer's address.
    if isinstance(error, Image.UnidentifiedImageError):
        return "its format is unknown"
    # A warning where somebody has made warnings errors.
    if isinstance(error, Image.DecompressionBombError | Image.DecompressionBombWarning):
        most = MOST_MEMORY // _USUAL_BYTES_PER_PIXEL
        return f"it has more pixels than the {most:,} that are read; make it smaller"
    return (str(error).strip().splitlines() or [type(error).__name__])[0]


def _orientation(picture: Picture) -> int:
    """EXIF's orientation, or that in XMP, 1 if there is none or it is to be ignored."""
    # PIL turns TIFF files itself.
    if isinstance(picture, np.ndarray) or picture.format == "TIFF" or _STORED in picture.info:
        return 1
    if picture.format not in _JPEG:
        # PNG files may note it after the pixels; and a file that is damaged shall say so here.
        with _named_errors():
            picture.load()
    try:
        return int(picture.getexif().get(ExifTags.Base.Orientation, 1))
    # A damaged note is no reason to lose the picture.
    except Exception:
        return 1


def _of_array(array: np.ndarray) -> Image.Image:
    if array.dtype != np.uint8 or not (array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (1, 3))):
        raise InputError(
            f"a picture is an array of {array.dtype} of shape {list(array.shape)}; expected uint8 of shape "
            "[H, W], [H, W, 1] or [H, W, 3]"
        )
    return Image.fromarray(array[..., 0] if array.ndim == 3 and array.shape[2] == 1 else array)


def _find_scale(picture: Image.Image) -> Callable[[Image.Image], Image.Image]:
    """What makes any part of ``picture`` one of 8 bits; the scale is that of the whole."""
    mode = picture.mode
    if _tiff_tag(picture, _TIFF_FORMAT) == (_SIGNED,) and _tiff_tag(picture, _TIFF_BITS) in ((8,), (16,)):
        raise UnreadableImage(
            "its values are signed whole numbers, and which of them is white is unknown; save it with 8 or "
            "16 bits without a sign"
        )
    if not (mode.startswith("I") or mode == "F"):
        return lambda part: part
    scale = _scale_of_floats(picture) if mode == "F" else _scale_of_integers(picture)
    # PIL inverts files in which 0 is white if they have up to 8 bits, and no others.
    inverted = _tiff_tag(picture, _TIFF_PHOTOMETRIC) == _MIN_IS_WHITE

    def in_eight_bits(part: Image.Image) -> Image.Image:
        values = scale(np.asarray(part)).astype(np.uint8)
        return Image.fromarray(255 - values if inverted else values)

    return in_eight_bits


def _tiff_tag(picture: Image.Image, tag: int) -> object:
    tags = getattr(picture, "tag_v2", None)
    return None if tags is None else tags.get(tag)


def _scale_of_integers(picture: Image.Image) -> Callable[[np.ndarray], np.ndarray]:
    """By the depth that the file tells, else by its largest value."""
    low, high = _extremes(picture)
    if _tiff_tag(picture, _TIFF_BITS) == (12,):
        return lambda values: values >> 4
    white = _tiff_tag(picture, _TIFF_MAX_VALUE)
    # A depth of 16 bits is written by default, and says nothing.
    if isinstance(white, tuple) and len(white) == 1 and high <= white[0] < 65535:
        return lambda values: values.astype(np.int64) * 65535 // int(white[0]) >> 8
    # PIL scales PGM files of more than 8 bits to 16, whatever their largest value.
    if picture.format == "PPM":
        return lambda values: values >> 8
    if low < 0 or high > 65535 or 255 < high < _LEAST_OF_16_BITS:
        raise UnreadableImage(
            f"its values are whole numbers from {low:,.0f} to {high:,.0f}, and which of them is white is "
            f"unknown; expected a largest value up to 255, or from {_LEAST_OF_16_BITS:,} to 65,535: scale it "
            "to 8 or 16 bits"
        )
    return (lambda values: values) if high <= 255 else (lambda values: values >> 8)


def _scale_of_floats(picture: Image.Image) -> Callable[[np.ndarray], np.ndarray]:
    """Of floats up to 1 or up to 255; what resampling has made a little more is cut off."""
    low, high = _extremes(picture)
    # NaN fails every comparison.
    if low >= -_OVERSHOOT and high <= 1 + _OVERSHOOT:
        # By way of 16 bits, so that the same picture in either form is the same to a bit.
        return lambda values: np.rint(np.clip(values, 0, 1) * 65535).astype(np.int32) >> 8
    if low >= -_OVERSHOOT * 255 and _LEAST_OF_255 <= high <= (1 + _OVERSHOOT) * 255:
        return lambda values: np.rint(np.clip(values, 0, 255))
    raise UnreadableImage(
        f"its values are floats from {low:g} to {high:g}, and which of them is white is unknown; expected 0 "
        f"to 1, or 0 to 255 with one above {_LEAST_OF_255}, and no NaN: save it with 8 or 16 bits"
    )


def _extremes(image: Image.Image) -> tuple[float, float]:
    """Smallest and largest value; NaN if there is one."""
    extremes = [(values.min(), values.max()) for values in map(np.asarray, _strips(image, 1))]
    lows, highs = zip(*extremes, strict=True)
    return float(np.min(lows)), float(np.max(highs))


def _strip_height(image: Image.Image, multiple: int) -> int:
    """Rows of about a million pixels, a multiple of ``multiple``."""
    return multiple * max(1, 2**20 // (image.width * multiple))


def _strips(image: Image.Image, multiple: int) -> Iterator[Image.Image]:
    height = _strip_height(image, multiple)
    for top in range(0, image.height, height):
        yield image.crop((0, top, image.width, min(top + height, image.height)))


def _in_mode(image: Image.Image, mode: str) -> Image.Image:
    if image.mode == mode:
        return image
    if image.mode == "P" and "transparency" in image.info:
        image = image.convert("RGBA")
    elif mode == "L" and image.mode in ("LAB", "HSV"):
        image = image.convert("RGB")
    return image.convert(mode)
