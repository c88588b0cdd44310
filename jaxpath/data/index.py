"""Lists of image files by class: compact, kept on disk when long, shared between processes."""

import dataclasses
import functools
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

IMAGE_SUFFIXES = (".jpg", ".jpeg", ".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm")
"""Other files are ignored, as they are no pictures of the data set."""

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
        folder: Where the index is kept on disk; None if it is not.
    """

    classes: tuple[str, ...]
    counts: np.ndarray
    names: np.ndarray
    spans: np.ndarray | None = None
    folder: Path | None = None

    def __reduce__(self):
        # Mapped arrays would be pickled whole; another process can map the same pages instead.
        if self.folder is not None:
            return load_index, (self.folder,)
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
    digest = hashlib.sha256(json.dumps(key, default=str).encode()).hexdigest()[:32]
    folder = cache_folder("indices") / digest
    if (folder / "classes.json").is_file():
        return load_index(folder)
    index = build()
    if len(index.names) < CACHE_FROM:
        return index
    try:
        _store(index, folder)
    except OSError:
        # A home that cannot be written to costs time at the next start, nothing else.
        return index
    return load_index(folder)


def load_index(folder: Path) -> ImageIndex:
    """Maps the index that is kept in ``folder`` into memory."""
    classes = tuple(json.loads((folder / "classes.json").read_text()))
    spans = folder / "spans.npy"
    return ImageIndex(
        classes=classes,
        counts=np.load(folder / "counts.npy"),
        names=np.load(folder / "names.npy", mmap_mode="r"),
        spans=np.load(spans, mmap_mode="r") if spans.is_file() else None,
        folder=folder,
    )


def _store(index: ImageIndex, folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Several processes may do this at once: each fills its own folder, the first rename wins.
    partial = Path(tempfile.mkdtemp(dir=folder.parent, prefix="partial-"))
    try:
        np.save(partial / "counts.npy", index.counts)
        np.save(partial / "names.npy", index.names)
        if index.spans is not None:
            np.save(partial / "spans.npy", index.spans)
        (partial / "classes.json").write_text(json.dumps(index.classes))
        partial.rename(folder)
    except OSError:
        shutil.rmtree(partial, ignore_errors=True)
        if not folder.is_dir():
            raise


def cache_folder(kind: str) -> Path:
    """Where this user's kept results of one kind lie; ``XDG_CACHE_HOME`` moves it."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "jaxpath" / kind
