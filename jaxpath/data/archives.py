"""Data sets that are tar files of class folders, read in place."""

import os
import tarfile
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from jaxpath.data.class_index import Labelling, label_folders
from jaxpath.data.index import ImageIndex, cached_index, is_image_name
from jaxpath.data.source import Example, Source, UnreadableImage
from jaxpath.data.splits import SPLIT_NAMES, choose_split
from jaxpath.types import InputError


class TarSource(Source):
    """Image files in an uncompressed tar file; :func:`tar` makes it.

    Examples hold the bytes of the files, read at their place in the archive.
    """

    def __init__(self, path: Path, index: ImageIndex, labelling: Labelling):
        self.path = path
        self.index = index
        self.class_names = labelling.class_names
        self.labels: np.ndarray = index.labels(labelling.labels)
        self.labels_are_ranks = labelling.are_ranks
        self._file = os.open(path, os.O_RDONLY)

    def __len__(self) -> int:
        return len(self.index.names)

    def __getitem__(self, index: int) -> Example:
        assert self.index.spans is not None
        offset, size = (int(value) for value in self.index.spans[index])
        try:
            # Unlike seek and read this leaves no position behind, so threads can share the file.
            data = os.pread(self._file, size, offset)
        except OSError as error:
            raise UnreadableImage(f"it cannot be read: {error.strerror}") from error
        return {"image": data, "label": np.int32(self.labels[index])}

    def name(self, index: int) -> str:
        return f"{os.fsdecode(bytes(self.index.names[index]))} in {self.path}"

    def __getstate__(self):
        return {**self.__dict__, "_file": None}

    def __setstate__(self, state):
        # The number of an open file means nothing in another process.
        self.__dict__.update(state, _file=os.open(state["path"], os.O_RDONLY))

    def __del__(self):
        if self.__dict__.get("_file") is not None:
            os.close(self._file)


def tar(path: str | Path, split: str | None = None, class_index: Sequence[str] | None = None) -> TarSource:
    """Returns the pictures of a tar file of class folders, without unpacking it.

    Args:
        path: An uncompressed tar file with members ``<class>/<name>.jpg`` or
            ``<split>/<class>/<name>.jpg``, under any leading folders.
        split: Which split; None takes ``train``, or all there is in a file without splits.
        class_index: As for :func:`~jaxpath.data.folders.folder`; ``wnids.json`` is looked for
            beside the file.

    Raises:
        InputError: No such file, no tar file, a compressed one, no images in it, or no such split.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"there is no file {path}; give the path of a tar file of class folders")
    path = path.resolve()
    stat = path.stat()
    key = ["tar", str(path), stat.st_mtime_ns, stat.st_size, split]
    index = cached_index(key, lambda: _list_members(path, split))
    labelling = label_folders(index.classes, class_index=class_index, beside=(path.parent,), origin=str(path))
    return TarSource(path, index, labelling)


def _list_members(path: Path, split: str | None) -> ImageIndex:
    splits = _members_by_split(path)
    if not splits:
        raise InputError(f"there are no images in {path}; its members should be <class>/<name>.jpg and so on")
    members = splits[choose_split(tuple(splits), split, str(path))]
    members.sort()
    folders, names, offsets, sizes = zip(*members, strict=True)
    classes, counts = np.unique(np.array(folders), return_counts=True)
    return ImageIndex(
        classes=tuple(str(name) for name in classes),
        counts=counts.astype(np.int64),
        names=np.array(names, "S"),
        spans=np.stack([offsets, sizes], axis=1).astype(np.int64),
    )


def _members_by_split(path: Path) -> dict[str, list[tuple[str, bytes, int, int]]]:
    """Returns split -> (class folder, path, offset, size) of each image; "" is no named split."""
    splits: dict[str, list[tuple[str, bytes, int, int]]] = {}
    try:
        with tarfile.open(path, "r:") as archive:
            while (member := archive.next()) is not None:
                # The archive would keep a record of every member it has passed.
                archive.members = []  # type: ignore[attr-defined]
                *parents, name = member.name.split("/")
                if not parents or not member.isreg() or member.sparse or not is_image_name(os.fsencode(name)):
                    continue
                split = parents[-2] if len(parents) > 1 and parents[-2] in SPLIT_NAMES else ""
                entry = (parents[-1], os.fsencode(member.name), member.offset_data, member.size)
                splits.setdefault(split, []).append(entry)
    except (tarfile.TarError, OSError) as error:
        raise InputError(
            f"{path} is not an uncompressed tar file ({error}); a compressed one has no random access: "
            "decompress it first"
        ) from error
    return splits
