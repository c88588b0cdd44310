"""Data sets that are folders: one folder per class, with that class's image files in it."""

import os
from collections.abc import Callable, Hashable, Sequence
from pathlib import Path

import numpy as np

from jaxpath.data.class_index import (
    Labelling,
    find_class_index,
    label_folders,
    make_class_index,
    ranks_remark,
)
from jaxpath.data.index import (
    IMAGE_SUFFIXES,
    ImageIndex,
    cached_index,
    decode_name,
    encode_names,
    is_image_name,
)
from jaxpath.data.source import Example, Source, UnreadableImage
from jaxpath.data.trees import Listing, Place, find_root, list_classes
from jaxpath.types import InputError


class FolderSource(Source):
    """Image files in class folders; :func:`folder` makes it. Examples hold the bytes of the files."""

    def __init__(self, path: Path, index: ImageIndex, labelling: Labelling):
        self.path = path
        self.index = index
        self.class_names = labelling.class_names
        self.class_ids = labelling.class_ids
        self.labels: np.ndarray = index.labels(labelling.labels)
        self.labels_are_ranks = labelling.are_ranks
        self.left_out = index.left_out
        self.remark = ranks_remark(index.classes, index.counts) if labelling.are_ranks else ""

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
        return os.path.join(self.path, folder, decode_name(self.index.names[index]))


def folder(
    path: str | Path, class_index: Sequence[str] | None = None, *, split: str | None = None
) -> FolderSource:
    """Returns the pictures in a folder of class folders.

    The labels are the ranks of the class folders, numbers sorted by their value and other names as text; with
    a class index, each folder's place there, so that a part of ImageNet keeps the labels of the whole. A
    picture belongs to the class folder that it is in, at any depth. What is left out is in ``left_out`` of
    the result: :func:`~jaxpath.data.trees.list_classes` says what that is. A long list of files is kept in
    the user's cache folder until a folder changes.

    Args:
        path: ``path/<class>/<name>.jpg`` or ``path/<split>/<class>/<name>.jpg`` and so on. Folders that hold
            nothing but one folder of folders are passed through.
        class_index: All class folders' names in the order of the labels; by default the list in
            ``wnids.json`` inside ``path`` or beside it, if there is one.
        split: Which of the folders named train, val and so on; None takes ``train``, or all there is in a
            folder without splits.

    Raises:
        InputError: No such folder or split, no images in it, a class folder that is not in the class index,
            or folders of which it is unknown whether they are classes.
    """
    path = Path(path)
    if not path.is_dir():
        raise InputError(
            f"there is no folder {path}; give a folder that holds one folder of images per class"
        )
    tree = FolderTree(path.resolve())
    place, beside = find_root(tree, split, str(path))
    root = tree.path(place)
    if class_index is None:
        places = [root, *root.parents][: len(place) + 2]
        listed = find_class_index((str(one), reader(one)) for one in places)
    else:
        listed = make_class_index(class_index, None, "the given class index")
    classes = tree.listing(place).visible

    def build() -> ImageIndex:
        found = list_classes(tree, place, origin=str(root), indexed=listed is not None)
        return ImageIndex(
            classes=found.classes,
            counts=np.array([len(names) for names in found.files], np.int64),
            names=encode_names([name for names in found.files for name in names]),
            left_out=(*beside, *found.left_out),
            nested=found.nested,
        )

    times = [_times(os.stat(one)) for one in (root, *(root / name for name in classes))]
    index = cached_index(["folder", str(root), classes, times, beside, listed is not None], build)
    if not len(index.names):
        raise InputError(
            f"there are no images in {root}: its {len(classes)} folders hold no file that ends in "
            f"{', '.join(IMAGE_SUFFIXES)}; give a folder that holds one folder of images per class"
        )
    return FolderSource(root, index, label_folders(index.classes, listed, str(root)))


class FolderTree:
    """Folders on a disk, as a :class:`~jaxpath.data.trees.Tree`."""

    def __init__(self, top: Path):
        self._top = top

    def path(self, place: Place) -> Path:
        """Where a place is."""
        return self._top.joinpath(*place)

    def listing(self, place: Place) -> Listing:
        """What is in a folder.

        Raises:
            InputError: It cannot be read.
        """
        folders: list[str] = []
        files: list[str] = []
        specials: list[str] = []
        try:
            with os.scandir(self.path(place)) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(entry.name)
                    elif entry.is_symlink():
                        # To ask where a link leads is one more call for each: a picture's is not asked.
                        linked = not is_image_name(entry.name) and entry.is_dir()
                        (folders if linked else files).append(entry.name)
                    else:
                        (files if entry.is_file(follow_symlinks=False) else specials).append(entry.name)
        except OSError as error:
            raise InputError(
                f"the folder {self.path(place)} cannot be read ({error.strerror}); allow it or leave it out"
            ) from error
        return Listing(folders, files, specials)

    def identity(self, place: Place) -> Hashable:
        """Device and number of the folder."""
        stat = os.stat(self.path(place))
        return stat.st_dev, stat.st_ino


def _times(stat: os.stat_result) -> tuple[int, ...]:
    return stat.st_ino, stat.st_mtime_ns, stat.st_ctime_ns


def reader(folder: Path) -> Callable[[str], bytes | None]:
    """A function that reads a file of ``folder`` by its name, and returns None if there is none."""

    def read(name: str) -> bytes | None:
        path = folder / name
        if not path.is_file():
            return None
        try:
            return path.read_bytes()
        except OSError as error:
            raise InputError(f"{path} cannot be read ({error.strerror}); allow it or remove it") from error

    return read
