"""Lists of image files by class: compact, kept on disk when long, shared between processes."""

import dataclasses
import functools
import hashlib
import json
import os
import shutil
import sys
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

IMAGE_SUFFIXES = (
    *(".jpg", ".jpeg", ".jpe", ".jfif", ".jif"),
    *(".png", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".ppm", ".pgm", ".pbm", ".pnm"),
)
"""Files of other endings are no pictures of a data set."""

FORMAT = 2
"""Part of every key: another rule of listing makes kept lists anew."""

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
        folder: Where the index is kept on disk; None if it is not.
    """

    classes: tuple[str, ...]
    counts: np.ndarray
    names: np.ndarray
    spans: np.ndarray | None = None
    left_out: tuple[LeftOut, ...] = ()
    lists: Mapping[str, str] = dataclasses.field(default_factory=dict)
    nested: bool = False
    folder: Path | None = None

    def __reduce__(self):
        # Mapped arrays would be pickled whole; another process can map the same pages instead.
        if self.folder is not None:
            return load_index, (self.folder,)
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
    version = [FORMAT, IMAGE_SUFFIXES, sys.getfilesystemencoding()]
    digest = hashlib.sha256(json.dumps([version, key], default=str).encode()).hexdigest()[:32]
    folder = cache_folder("indices") / digest
    if (folder / "classes.json").is_file():
        return load_index(folder)
    index = build()
    if len(index.names) < CACHE_FROM or index.nested:
        return index
    try:
        _store(index, folder)
    except OSError:
        # A home that cannot be written to costs time at the next start, nothing else.
        return index
    return load_index(folder)


def load_index(folder: Path) -> ImageIndex:
    """Maps the index that is kept in ``folder`` into memory."""
    facts = json.loads((folder / "classes.json").read_text())
    spans = folder / "spans.npy"
    return ImageIndex(
        classes=tuple(facts["classes"]),
        left_out=tuple(LeftOut(*row) for row in facts["left_out"]),
        lists=facts["lists"],
        counts=np.load(folder / "counts.npy"),
        names=np.load(folder / "names.npy", mmap_mode="r"),
        spans=np.load(spans, mmap_mode="r") if spans.is_file() else None,
        folder=folder,
    )


def _store(index: ImageIndex, folder: Path) -> None:
    facts = {"classes": index.classes, "left_out": index.left_out, "lists": dict(index.lists)}
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Several processes may do this at once: each fills its own folder, the first rename wins.
    partial = Path(tempfile.mkdtemp(dir=folder.parent, prefix="partial-"))
    try:
        np.save(partial / "counts.npy", index.counts)
        np.save(partial / "names.npy", index.names)
        if index.spans is not None:
            np.save(partial / "spans.npy", index.spans)
        (partial / "classes.json").write_text(json.dumps(facts))
        partial.rename(folder)
    except OSError:
        shutil.rmtree(partial, ignore_errors=True)
        if not folder.is_dir():
            raise


def cache_folder(kind: str) -> Path:
    """Where this user's kept results of one kind lie; ``XDG_CACHE_HOME`` moves it."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "jaxpath" / kind
