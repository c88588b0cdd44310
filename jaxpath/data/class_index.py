"""Which label a class folder has."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxpath.types import InputError


class Labelling(NamedTuple):
    """The labels of class folders.

    Attributes:
        labels: The label of each folder, int64 [F].
        class_names: A name for every label.
        are_ranks: Whether the labels are the ranks of the folders that happen to be there.
    """

    labels: np.ndarray
    class_names: tuple[str, ...]
    are_ranks: bool


def label_folders(
    folders: Sequence[str], *, class_index: Sequence[str] | None, beside: Sequence[Path], origin: str
) -> Labelling:
    """Decides which label each class folder has: its place in the class index, else its rank.

    Args:
        folders: Names of the class folders, F of them, sorted.
        class_index: All folders' names in the order of the labels, or None.
        beside: Where a ``wnids.json`` with such a list is looked for if none is given. A
            ``class_names.json`` of the same length beside it gives the names to show.
        origin: What to call the data in messages.

    Raises:
        InputError: A folder is not in the class index.
    """
    if class_index is not None:
        labels = _places(folders, class_index, "the given class index", origin)
        return Labelling(labels, tuple(class_index), are_ranks=False)
    path = next((place / "wnids.json" for place in beside if (place / "wnids.json").is_file()), None)
    if path is None:
        return Labelling(np.arange(len(folders)), tuple(folders), are_ranks=True)
    wnids = _read_list(path)
    names_path = path.with_name("class_names.json")
    names = _read_list(names_path) if names_path.is_file() else wnids
    labels = _places(folders, wnids, str(path), origin)
    return Labelling(labels, tuple(names if len(names) == len(wnids) else wnids), are_ranks=False)


def _places(folders: Sequence[str], class_index: Sequence[str], listed_in: str, origin: str) -> np.ndarray:
    place = {name: label for label, name in enumerate(class_index)}
    unknown = [name for name in folders if name not in place]
    if unknown:
        raise InputError(
            f'the class folder "{unknown[0]}" of {origin} ({len(unknown)} such) is not among the '
            f"{len(place)} names of {listed_in}; rename the folder or correct the list"
        )
    return np.array([place[name] for name in folders], np.int64)


def _read_list(path: Path) -> list[str]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path} is not a JSON file ({error}); it should hold a list of names") from error
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise InputError(f"{path} does not hold a JSON list of names; write one name per class")
    return values
