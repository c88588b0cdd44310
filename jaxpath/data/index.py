"""Lists of image files by class: compact, kept on disk when long, shared between processes."""

import dataclasses
import functools
import hashlib
import json
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxpath.caches import cache_file, kept, map_arrays

IMAGE_SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".jif"),
    *(".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm"),
)
"""Files of other endings are no pictures of a data set."""

FORMAT = 3
"""Raised with every change of what a kept list holds, or of which files are listed."""

CACHE_FROM = 50_000
"""Shorter lists are made anew at each start: that takes less than a second."""


class LeftOut(NamedTuple):
    """Files or folders of a data set that are none of its pictures.

    Attributes:
        what: What they are, such as "pictures beside the class folders".
        number: How many.
        example: The path of one.
    """

    what: str
    number: int
    example: str

    def __str__(self) -> str:
        return f"{self.what} ({self.number}, such as {self.example})"


@dataclasses.dataclass(frozen=True)
class ImageIndex:
    """Image files sorted by class and name.

    Attributes:
        classes: Names of the class folders, K of them, in the order of
            :func:`~jaxpath.data.class_index.order_folders`.
        counts: Number of files of each class, int64 [K].
        names: Paths below the class folder as fixed-width bytes [N], or paths inside an archive. Bytes are
            UTF-8 with surrogate escapes.
        spans: Where a file's bytes lie in an archive: offset and size, int64 [N, 2]; None for files
            of their own.
        left_out: What is none of the pictures.
        lists: Lists of class names inside an archive, by the name of their file.
        nested: Whether there are folders in class folders. Their changes change no class folder, so that
            such a list is not kept.
        file: Where the index is kept on disk; None if it is not.
    """

    classes: tuple[str, ...]
    counts: np.ndarray
    names: np.ndarray
    spans: np.ndarray | None = None
    left_out: tuple[LeftOut, ...] = ()
    lists: Mapping[str, str] = dataclasses.field(default_factory=dict)
    nested: bool = False
    file: Path | None = None

    def __reduce__(self):
        # Mapped arrays would be pickled whole; another process can map the same pages instead.
        if self.file is not None:
            return load_index, (self.file,)
        return ImageIndex, (self.classes, self.counts, self.names, self.spans, self.left_out, self.lists)

    @functools.cached_property
    def starts(self) -> np.ndarray:
        """Place of the first file of each class, int64 [K]."""
        return np.cumsum(self.counts) - self.counts

    def class_of(self, index: int) -> int:
        """Returns the rank of the class of file ``index``."""
        return int(np.searchsorted(self.starts, index, side="right")) - 1

    def labels(self, class_labels: np.ndarray) -> np.ndarray:
        """Returns int32 [N], each file's label where ``class_labels`` [K] are those of its classes."""
        return np.repeat(class_labels.astype(np.int32), self.counts)


def is_image_name(name: str) -> bool:
    """Whether a file's name says that it is a picture. Hidden files are none."""
    return name[:1] != "." and name.lower().endswith(IMAGE_SUFFIXES)


def encode_names(names: Sequence[str]) -> np.ndarray:
    """Names as the fixed-width bytes of an index [N]."""
    return np.array([name.encode("utf-8", "surrogateescape") for name in names] or np.zeros(0, "S1"), "S")


def decode_name(name: bytes) -> str:
    """One name of an index."""
    return bytes(name).decode("utf-8", "surrogateescape")


def cached_index(key: Sequence[object], build: Callable[[], ImageIndex]) -> ImageIndex:
    """Returns ``build()``, or what it returned for the same ``key`` before if that was long.

    Args:
        key: Everything that the index depends on, such as paths and times of modification.
        build: Makes the index.
    """
    rule = [IMAGE_SUFFIXES, sys.getfilesystemencoding()]
    digest = hashlib.sha256(json.dumps([rule, key], default=str).encode()).hexdigest()
    return kept(
        cache_file("indices", digest, version=FORMAT),
        build,
        read=load_index,
        write=_store,
        worth=lambda index: len(index.names) >= CACHE_FROM and not index.nested,
    )


def load_index(file: Path) -> ImageIndex:
    """Maps the index that is kept in ``file`` into memory.

    Raises:
        ValueError, OSError, LookupError, zipfile.BadZipFile: The file is damaged.
    """
    arrays = map_arrays(file)
    facts = json.loads(arrays["facts"].tobytes())
    spans = arrays.get("spans")
    index = ImageIndex(
        classes=tuple(facts["classes"]),
        counts=np.array(arrays["counts"]),
        names=arrays["names"],
        spans=spans,
        left_out=tuple(LeftOut(*row) for row in facts["left_out"]),
        lists=facts["lists"],
        file=file,
    )
    number = len(index.names)
    if len(index.counts) != len(index.classes) or index.counts.sum() != number:
        raise ValueError(f"{number} names are not those of its classes")
    if spans is not None and spans.shape != (number, 2):
        raise ValueError(f"{number} names have {len(spans)} places")
    return index


def _store(file: Path, index: ImageIndex) -> None:
    described = {"classes": index.classes, "left_out": index.left_out, "lists": dict(index.lists)}
    facts = np.frombuffer(json.dumps(described).encode(), np.uint8)
    places: dict[str, Any] = {} if index.spans is None else {"spans": index.spans}
    with open(file, "wb") as opened:
        np.savez(opened, facts=facts, counts=index.counts, names=index.names, **places)
