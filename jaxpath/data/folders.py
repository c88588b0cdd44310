"""Data sets that are folders: one folder per class, with that class's image files in it."""

import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from jaxpath.data.class_index import Labelling, label_folders
from jaxpath.data.index import IMAGE_SUFFIXES, ImageIndex, cached_index, is_image_name
from jaxpath.data.source import Example, Source, UnreadableImage
from jaxpath.data.splits import SPLIT_NAMES
from jaxpath.types import InputError


class FolderSource(Source):
    """Image files in class folders; :func:`folder` makes it. Examples hold the bytes of the files."""

    def __init__(self, path: Path, index: ImageIndex, labelling: Labelling):
        self.path = path
        self.index = index
        self.class_names = labelling.class_names
        self.labels: np.ndarray = index.labels(labelling.labels)
        self.labels_are_ranks = labelling.are_ranks

    def __len__(self) -> int:
        return len(self.index.names)

    def __getitem__(self, index: int) -> Example:
        path = self.name(index)
        try:
            with open(path, "rb") as file:
                data = file.read()
        except OSError as error:
            raise UnreadableImage(f"it cannot be read: {error.strerror}") from error
        return {"image": data, "label": np.int32(self.labels[index])}

    def name(self, index: int) -> str:
        folder = self.index.classes[self.index.class_of(index)]
        return os.path.join(self.path, folder, os.fsdecode(bytes(self.index.names[index])))


def folder(path: str | Path, class_index: Sequence[str] | None = None) -> FolderSource:
    """Returns the pictures in a folder of class folders.

    The labels are the ranks of the sorted class folders; with a class index, each folder's place
    there, so that a part of ImageNet keeps the labels of the whole. Files whose names have no image
    suffix are ignored. A long list of files is kept in the user's cache folder until a folder
    changes.

    Args:
        path: ``path/<class>/<name>.jpg`` and so on.
        class_index: All class folders' names in the order of the labels; by default the list in
            ``wnids.json`` inside ``path`` or beside it, if there is one.

    Raises:
        InputError: No such folder, no images in it, or a class folder that is not in the class
            index.
    """
    path = Path(path)
    if not path.is_dir():
        raise InputError(
            f"there is no folder {path}; give a folder that holds one folder of images per class"
        )
    path = path.resolve()
    classes = _class_folders(path)
    times = [os.stat(path / name).st_mtime_ns for name in classes]
    index = cached_index(["folder", str(path), classes, times], lambda: _list_files(path, classes))
    if not len(index.names):
        raise InputError(
            f"there are no images in {path}: its {len(classes)} folders hold no file that ends in "
            f"{', '.join(IMAGE_SUFFIXES)}; give a folder that holds one folder of images per class"
        )
    labelling = label_folders(classes, class_index=class_index, beside=(path, path.parent), origin=str(path))
    return FolderSource(path, index, labelling)


def folder_splits(path: str | Path) -> tuple[str, ...]:
    """Returns which of the usual names of splits ``path`` has as folders of folders."""
    # A folder named train that holds files is a class.
    return tuple(name for name in SPLIT_NAMES if _has_folders(Path(path) / name))


def _has_folders(path: Path) -> bool:
    if not path.is_dir():
        return False
    with os.scandir(path) as entries:
        return any(entry.is_dir() for entry in entries)


def _class_folders(path: Path) -> list[str]:
    with os.scandir(path) as entries:
        return sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith("."))


def _list_files(path: Path, classes: Sequence[str]) -> ImageIndex:
    parts = [_image_names(path / name) for name in classes]
    return ImageIndex(
        classes=tuple(classes),
        counts=np.array([len(part) for part in parts], np.int64),
        names=np.concatenate([np.zeros(0, "S1"), *parts]),
    )


def _image_names(path: Path) -> np.ndarray:
    # Entries are not asked whether they are files: that is one more call for each symbolic link.
    with os.scandir(os.fsencode(path)) as entries:
        return np.array(sorted(entry.name for entry in entries if is_image_name(entry.name)), "S")
