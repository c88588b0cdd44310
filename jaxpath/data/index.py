"""Lists of image files by class: compact, kept on disk when long, shared between processes."""

import dataclasses
import functools
import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxpath.caches import cache_file, kept, map_arrays

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
"""Other files are ignored, as they are no pictures of the data set."""

FORMAT = 2
"""Raised with every change of what a kept list holds, or of which files are listed."""

CACHE_FROM = 50_000
"""Shorter lists are made anew at each start: that takes less than a second."""


@dataclasses.dataclass(frozen=True)
class ImageIndex:
    """Image files sorted by class and name.

    Attributes:
        classes: Names of the class folders, K of them, sorted.
        counts: Number of files of each class, int64 [K].
        names: File names as fixed-width bytes [N], or paths inside an archive.
        spans: Where a file's bytes lie in an archive: offset and size, int64 [N, 2]; None for files
            of their own.
        file: Where the index is kept on disk; None if it is not.
    """

    classes: tuple[str, ...]
    counts: np.ndarray
    names: np.ndarray
    spans: np.ndarray | None = None
    file: Path | None = None

    def __reduce__(self):
        # Mapped arrays would be pickled whole; another process can map the same pages instead.
        if self.file is not None:
            return load_index, (self.file,)
        return ImageIndex, (self.classes, self.counts, self.names, self.spans)

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


def is_image_name(name: bytes) -> bool:
    """Whether a file's name says that it is a picture. Hidden files are none."""
    return not name.startswith(b".") and name.lower().endswith(_SUFFIXES)


_SUFFIXES = tuple(suffix.encode() for suffix in IMAGE_SUFFIXES)


def cached_index(key: Sequence[object], build: Callable[[], ImageIndex]) -> ImageIndex:
    """Returns ``build()``, or what it returned for the same ``key`` before if that was long.

    Args:
        key: Everything that the index depends on, such as paths and times of modification.
        build: Makes the index.
    """
    digest = hashlib.sha256(json.dumps(key, default=str).encode()).hexdigest()
    return kept(
        cache_file("indices", digest, version=FORMAT),
        build,
        read=load_index,
        write=_store,
        worth=lambda index: len(index.names) >= CACHE_FROM,
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
        file=file,
    )
    number = len(index.names)
    if len(index.counts) != len(index.classes) or index.counts.sum() != number:
        raise ValueError(f"{number} names are not those of its classes")
    if spans is not None and spans.shape != (number, 2):
        raise ValueError(f"{number} names have {len(spans)} places")
    return index


def _store(file: Path, index: ImageIndex) -> None:
    facts = np.frombuffer(json.dumps({"classes": index.classes}).encode(), np.uint8)
    places: dict[str, Any] = {} if index.spans is None else {"spans": index.spans}
    with open(file, "wb") as opened:
        np.savez(opened, facts=facts, counts=index.counts, names=index.names, **places)
