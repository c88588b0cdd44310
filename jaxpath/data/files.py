"""Pictures that a user points at: single files and folders of any form, without labels."""

import os
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np

from jaxpath.data.index import IMAGE_SUFFIXES, is_image_name
from jaxpath.data.source import UNLABELLED, Example, Source, UnreadableImage
from jaxpath.files import expand_home
from jaxpath.types import InputError


class FileSource(Source):
    """Image files in the order given, all :data:`UNLABELLED`; :func:`image_files` makes it."""

    class_names = ()
    classes_are_named = False

    def __init__(self, paths: Sequence[Path]):
        self.paths = tuple(paths)
        self.labels: np.ndarray = np.full(len(self.paths), UNLABELLED, np.int32)

    def __len__(self) -> int:
        return len(self.paths)

    def __getitem__(self, index: int) -> Example:
        try:
            return {"image": self.paths[index].read_bytes(), "label": np.int32(UNLABELLED)}
        except OSError as error:
            raise UnreadableImage(f"it cannot be read: {error.strerror}") from error

    def name(self, index: int) -> str:
        return str(self.paths[index])


def image_files(paths: Iterable[str | Path]) -> FileSource:
    """Returns the pictures at ``paths``: files as they are named, and all image files below folders.

    Raises:
        InputError: A path does not exist, a folder holds no image, or no path was given.
    """
    files: list[Path] = []
    for path in map(Path, paths):
        path = Path(expand_home(str(path)))
        if path.is_dir():
            inside = sorted(_images_below(path))
            if not inside:
                raise InputError(
                    f"there are no images in {path} or the folders below: no file ends in "
                    f"{', '.join(IMAGE_SUFFIXES)}; give image files or a folder of them"
                )
            files += inside
        elif path.is_file():
            files.append(path)
        else:
            raise InputError(f"there is no image {path}; give image files or a folder of them")
    if not files:
        raise InputError("no image was given; name image files or folders of them")
    return FileSource(files)


def holds_loose_images(folder: Path) -> bool:
    """Whether there are pictures in ``folder`` itself, and none in folders below it."""
    try:
        with os.scandir(folder) as entries:
            found = [(entry.name, entry.is_dir()) for entry in entries]
    except OSError as error:
        raise InputError(f"the folder {folder} cannot be read ({error.strerror}); allow it") from error
    if not any(is_image_name(name) for name, is_folder in found if not is_folder):
        return False
    below = (folder / name for name, is_folder in found if is_folder and not name.startswith("."))
    return next((path for one in below for path in _images_below(one)), None) is None


def _images_below(folder: Path) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not name.startswith(".")]
        yield from (Path(place, name) for name in names if is_image_name(name))
