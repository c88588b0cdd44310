"""Arrays as pictures inside a page: data URIs, so that a page is one file and loads nothing."""

import base64
import io

import numpy as np
from PIL import Image
from scipy.ndimage import gaussian_filter

_SMALL = 64
"""Pictures with a shorter side are kept exactly and shown with hard pixels."""

_JPEG_QUALITY = 65
_HEAT = np.array([(120, 10, 40), (225, 70, 20), (255, 170, 30), (255, 245, 160)], np.float64)
"""Dark red to yellow: rising in brightness, so that it reads in grey as well."""


def is_small(image: np.ndarray) -> bool:
    """Whether a page shows the pixels of ``image`` [H, W, ...] as squares."""
    return min(image.shape[:2]) < _SMALL


def as_picture(image: np.ndarray, *, side: int | None = None) -> Image.Image:
    """uint8 [H, W, 1 or 3] as a PIL image, its longer side reduced to ``side`` pixels."""
    picture = Image.fromarray(image[..., 0] if image.shape[-1] == 1 else image)
    if side is not None and max(picture.size) > side:
        picture.thumbnail((side, side), Image.Resampling.LANCZOS)
    return picture


def image_uri(picture: Image.Image, *, exact: bool = True) -> str:
    """A PIL image as a data URI: PNG if it must be exact, else JPEG."""
    buffer = io.BytesIO()
    if exact:
        picture.save(buffer, "PNG", optimize=True)
    else:
        picture.convert("RGB").save(buffer, "JPEG", quality=_JPEG_QUALITY, optimize=True)
    kind = "png" if exact else "jpeg"
    return f"data:image/{kind};base64,{base64.b64encode(buffer.getvalue()).decode('ascii')}"


def pixels_uri(colours: np.ndarray) -> str:
    """Colours [rows, columns, 3] in [0, 255] as a picture of one pixel each."""
    return image_uri(Image.fromarray(np.rint(colours).astype(np.uint8)))


def heat_over(image: np.ndarray, saliency: np.ndarray) -> Image.Image:
    """Where a saliency map is large, over the picture in pale grey.

    The magnitude, blurred by a hundredth of the width and divided by its own 99th percentile: maps show
    where, not how much, and two of them cannot be compared in strength.

    Args:
        image: uint8 [H, W, C].
        saliency: [H, W], signed.
    """
    height, width = saliency.shape
    grey = image.astype(np.float64).mean(axis=-1) * 0.55 + 100
    strength = np.abs(saliency).astype(np.float32)
    if not is_small(image):
        strength = gaussian_filter(strength, width / 100)
    top = float(np.percentile(strength, 99)) or float(strength.max())
    share = np.clip(strength / top, 0, 1) if top > 0 else np.zeros((height, width))
    at = share * (len(_HEAT) - 1)
    low = np.minimum(at.astype(int), len(_HEAT) - 2)
    colour = _HEAT[low] + (_HEAT[low + 1] - _HEAT[low]) * (at - low)[..., None]
    opacity = np.clip((share - 0.12) * 1.6, 0, 0.95)[..., None]
    mixed = grey[..., None] * (1 - opacity) + colour * opacity
    return Image.fromarray(np.clip(np.rint(mixed), 0, 255).astype(np.uint8))
