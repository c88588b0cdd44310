"""Folders that are hardly the classes of a data set, although they lie where its classes should."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from jaxpath.data.parts import parts_among
from jaxpath.types import InputError

_PICTURES = {"images", "image", "imgs", "jpegimages", "pictures", "photos"}
_NOTES = {"annotations", "annotation", "labels", "masks", "trimaps", "segmentations", "ground_truth"}


class Below(NamedTuple):
    """What is in a class folder, at any depth.

    Attributes:
        pictures: Paths of the pictures, sorted.
        others: Number of other files that are neither hidden nor a system's.
        folders: Number of folders, itself among them.
    """

    pictures: list[str]
    others: int
    folders: int


def check_classes(classes: Mapping[str, Below], origin: str) -> None:
    """Raises an error if folders that no list names as classes are hardly classes.

    Args:
        classes: What is in each of the folders.
        origin: What to call the data in messages.

    Raises:
        InputError: They are named like parts of a data set, or like pictures and what is noted about them;
            they hold no pictures but the same folders; or one holds files and no pictures beside others that
            do.
    """
    filled = {name: below.pictures for name, below in classes.items() if below.pictures}
    _check_names(list(filled), origin)
    _check_same_folders(filled, origin)
    strange = [name for name, below in classes.items() if below.others and not below.pictures]
    if filled and strange:
        raise InputError(
            f'the folder "{strange[0]}" of {origin} ({len(strange)} such) holds files and no picture, so '
            "that it is unknown whether it is a class; move it out, name the folder that holds the class "
            "folders as the data, or list the classes in a wnids.json"
        )


def _check_names(filled: Sequence[str], origin: str) -> None:
    """Raises an error if folders are named like parts: of two kinds, or without any other."""
    parts = parts_among(filled)
    if len(parts) > 1 and (len(set(parts.values())) > 1 or len(parts) == len(filled)):
        _refuse(list(parts), "are named like parts of a data set and hold no class folders", origin)
    lower = {name.lower(): name for name in filled}
    pictures, notes = (sorted(words & set(lower)) for words in (_PICTURES, _NOTES))
    if pictures and notes:
        both = [lower[pictures[0]], lower[notes[0]]]
        _refuse(both, "are named like the pictures of a data set and what is noted about them", origin)


def _refuse(names: Sequence[str], why: str, origin: str) -> None:
    raise InputError(
        f"the folders {', '.join(names[:3])} of {origin} {why}, so that it is unknown which folders are the "
        "classes; name the folder that holds the class folders as the data, or list the classes in a "
        "wnids.json if these are the classes"
    )


def _check_same_folders(filled: Mapping[str, Sequence[str]], origin: str) -> None:
    """Raises an error if all class folders hold no pictures but the same folders."""
    if len(filled) < 2 or any("/" not in path for paths in filled.values() for path in paths):
        return
    common = set.intersection(*({path.split("/")[0] for path in paths} for paths in filled.values()))
    if len(common) > 1:
        parts, shared = ([*names][:3] for names in (filled, sorted(common)))
        raise InputError(
            f"the folders {', '.join(parts)} of {origin} hold the same folders ({', '.join(shared)}), so "
            "that it is unknown which of both are the classes; name one of them as the data if they are "
            "parts of a data set, or list the classes in a wnids.json"
        )
