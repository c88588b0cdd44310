"""Data sets that are tar files of class folders, read in place."""

import os
import tarfile
from collections.abc import Sequence
from pathlib import Path
from typing import BinaryIO

import numpy as np

from jaxpath.data.class_index import (
    CLASS_INDEX,
    CLASS_NAMES,
    Labelling,
    find_class_index,
    label_folders,
    make_class_index,
    ranks_remark,
)
from jaxpath.data.folders import reader
from jaxpath.data.index import ImageIndex, cached_index, decode_name, encode_names
from jaxpath.data.source import Example, Source, UnreadableImage
from jaxpath.data.tar_members import NOWHERE, TarTree, sparse_header
from jaxpath.data.trees import Place, find_root, list_classes
from jaxpath.types import InputError


class TarSource(Source):
    """Image files in an uncompressed tar file; :func:`tar` makes it.

    Examples hold the bytes of the files, read at their place in the archive.
    """

    def __init__(self, path: Path, index: ImageIndex, labelling: Labelling):
        self.path = path
        self.index = index
        self.class_names = labelling.class_names
        self.class_ids = labelling.class_ids
        self.labels: np.ndarray = index.labels(labelling.labels)
        self.labels_are_ranks = labelling.are_ranks
        self.left_out = index.left_out
        self.remark = ranks_remark(index.classes, index.counts) if labelling.are_ranks else ""
        self._file = os.open(path, os.O_RDONLY)

    def __len__(self) -> int:
        return len(self.index.names)

    def __getitem__(self, index: int) -> Example:
        assert self.index.spans is not None
        offset, size = (int(value) for value in self.index.spans[index])
        if (offset, size) == NOWHERE:
            raise UnreadableImage("it is a link to no file of the archive")
        try:
            header = sparse_header(offset)
            # Unlike seek and read this leaves no position behind, so threads can share the file.
            data = os.pread(self._file, size, offset) if header is None else _read_sparse(self.path, header)
        except (OSError, tarfile.TarError) as error:
            raise UnreadableImage(f"it cannot be read: {error}") from error
        return {"image": data, "label": np.int32(self.labels[index])}

    def name(self, index: int) -> str:
        return f"{decode_name(self.index.names[index])} in {self.path}"

    def __getstate__(self):
        return {**self.__dict__, "_file": None}

    def __setstate__(self, state):
        # The number of an open file means nothing in another process.
        self.__dict__.update(state, _file=os.open(state["path"], os.O_RDONLY))

    def __del__(self, close=os.close):
        # At the end of Python the module may be gone.
        if self.__dict__.get("_file") is not None:
            close(self._file)


def tar(path: str | Path, split: str | None = None, class_index: Sequence[str] | None = None) -> TarSource:
    """Returns the pictures of a tar file of class folders, without unpacking it.

    Classes, labels, names and bytes are those of :func:`~jaxpath.data.folders.folder` on the unpacked file:
    later members replace earlier ones, hard links are the files that they name, and symbolic links are
    followed inside the archive and never out of it.

    Args:
        path: An uncompressed tar file with members ``<class>/<name>.jpg`` or
            ``<split>/<class>/<name>.jpg``, under any leading folders.
        split: Which split; None takes ``train``, or all there is in a file without splits.
        class_index: As for :func:`~jaxpath.data.folders.folder`; ``wnids.json`` is looked for in the file and
            beside it.

    Raises:
        InputError: No such file, no tar file, a compressed or damaged one, no images in it, or no such split;
            or as for a folder.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"there is no file {path}; give the path of a tar file of class folders")
    path = path.resolve()
    given = None if class_index is None else make_class_index(class_index, None, "the given class index")
    beside = given or find_class_index([(str(path.parent), reader(path.parent))])
    stat = path.stat()
    key = ["tar", str(path), stat.st_ino, stat.st_mtime_ns, stat.st_ctime_ns, stat.st_size, split]
    index = cached_index(
        [*key, beside is not None], lambda: _list_members(path, split, indexed=beside is not None)
    )
    inside = find_class_index([(str(path), lambda name: _as_bytes(index.lists.get(name)))])
    labelling = label_folders(index.classes, given or inside or beside, str(path))
    return TarSource(path, index, labelling)


def _list_members(path: Path, split: str | None, *, indexed: bool) -> ImageIndex:
    tree = TarTree(path)
    root, beside = find_root(tree, split, str(path))
    lists = _class_lists(tree, root, path)
    found = list_classes(tree, root, origin=str(path), indexed=indexed or bool(lists))
    places: list[Place] = [
        (*root, name, *file.split("/"))
        for name, files in zip(found.classes, found.files, strict=True)
        for file in files
    ]
    if not places:
        raise InputError(f"there are no images in {path}; its members should be <class>/<name>.jpg and so on")
    return ImageIndex(
        classes=found.classes,
        counts=np.array([len(files) for files in found.files], np.int64),
        names=encode_names(["/".join(place) for place in places]),
        spans=np.array([tree.span(place) for place in places], np.int64),
        left_out=(*tree.tally.rows, *beside, *found.left_out),
        lists=lists,
    )


def _class_lists(tree: TarTree, root: Place, path: Path) -> dict[str, str]:
    """The files of class names in the folder of the class folders, or in one on the way to it."""
    for depth in range(len(root), -1, -1):
        files = tree.listing(root[:depth]).files
        if CLASS_INDEX in files:
            with open(path, "rb") as archive:
                return {
                    name: _read_text(archive, *tree.span((*root[:depth], name)))
                    for name in (CLASS_INDEX, CLASS_NAMES)
                    if name in files
                }
    return {}


def _read_text(archive: BinaryIO, offset: int, size: int) -> str:
    archive.seek(max(offset, 0))
    return archive.read(size).decode("utf-8", "surrogateescape")


def _as_bytes(text: str | None) -> bytes | None:
    return None if text is None else text.encode("utf-8", "surrogateescape")


def _read_sparse(path: Path, header: int) -> bytes:
    """The bytes of a file that is kept in pieces, by its header."""
    with open(path, "rb") as file:
        file.seek(header)
        with tarfile.open(fileobj=file, mode="r:") as archive:
            member = archive.next()
            pieces = None if member is None else archive.extractfile(member)
            if pieces is None:
                raise tarfile.ReadError(f"there is no file at byte {header}")
            return pieces.read()
