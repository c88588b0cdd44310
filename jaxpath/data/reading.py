"""One picture of a source, and what is said of pictures that cannot be read."""

import contextlib
from collections.abc import Callable

import numpy as np

from jaxpath.data.decoding import LARGE
from jaxpath.data.source import NothingReadable, Source, UnreadableImage
from jaxpath.data.transforms import decode


def read_picture(source: Source, index: int, *, most_pixels: int | None = None) -> np.ndarray:
    """Returns the picture at ``index`` as uint8 [H, W, 3]; ``most_pixels`` is that of :func:`decode`.

    Raises:
        UnreadableImage: Names the file and what is wrong with it.
    """
    try:
        return decode(source[index]["image"], most_pixels=most_pixels)
    except UnreadableImage as error:
        raise name_the_file(source, index, error) from error


def first_stored(source: Source) -> bytes | np.ndarray:
    """Returns what the first example of ``source`` that is there holds, an array or the bytes of its file.

    Raises:
        NothingReadable: None is there.
    """
    for index in range(len(source)):
        with contextlib.suppress(UnreadableImage):
            return source[index]["image"]
    raise _nothing_readable(source)


def name_the_file(source: Source, index: int, error: UnreadableImage) -> UnreadableImage:
    """``error``, of the example at ``index``, as a user is told it."""
    return UnreadableImage(
        f"{source.name(index)} is not a readable image ({error}); remove or replace it, or skip such "
        "files with --skip-unreadable"
    )


def _decode_bounded(image: bytes | np.ndarray) -> np.ndarray:
    return decode(image, most_pixels=LARGE)


def check_some_readable(
    source: Source, read: Callable[[bytes | np.ndarray], np.ndarray] = _decode_bounded
) -> None:
    """Raises an error unless at least one example of ``source`` holds a picture; reads until it finds one.

    Args:
        source: The examples.
        read: How pictures are read.

    Raises:
        NothingReadable: Says what is wrong with the first.
    """
    for index in range(len(source)):
        with contextlib.suppress(UnreadableImage):
            read(source[index]["image"])
            return
    raise _nothing_readable(source)


def _nothing_readable(source: Source) -> NothingReadable:
    reason = ""
    if len(source):
        try:
            _decode_bounded(source[0]["image"])
        except UnreadableImage as error:
            reason = f" ({source.name(0)}: {error})"
    return NothingReadable(
        f"none of the {len(source)} images can be read{reason}; check that the data are images"
    )
