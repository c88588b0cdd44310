"""Which label a class folder has."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from jaxpath.types import InputError


def class_labels(
    classes: Sequence[str], *, class_index: Sequence[str] | None, beside: Sequence[Path], origin: str
) -> tuple[np.ndarray, tuple[str, ...], bool]:
    """Decides which label each class folder has.

    Args:
        classes: Names of the class folders, K of them, sorted.
        class_index: All folder names in the order of the labels, or None.
        beside: Folders in which a ``wnids.json`` with such a list is looked for if none is given. A
            ``class_names.json`` of the same length there gives the names to show.
        origin: What to call the data in messages.

    Returns:
        Labels int64 [K], the names of all classes, and whether the labels are mere ranks.

    Raises:
        InputError: A class folder is not in the list.
    """
    listed_in = "the given class index"
    names = None
    if class_index is None:
        path = next((folder / "wnids.json" for folder in beside if (folder / "wnids.json").is_file()), None)
        if path is None:
            return np.arange(len(classes)), tuple(classes), True
        class_index = _read_list(path)
        listed_in = str(path)
        names_path = path.with_name("class_names.json")
        names = _read_list(names_path) if names_path.is_file() else None
    place = {name: label for label, name in enumerate(class_index)}
    unknown = [name for name in classes if name not in place]
    if unknown:
        raise InputError(
            f'the class folder "{unknown[0]}" of {origin} ({len(unknown)} such) is not among the '
            f"{len(place)} names of {listed_in}; rename the folder or correct the list"
        )
    if names is None or len(names) != len(class_index):
        names = class_index
    return np.array([place[name] for name in classes], np.int64), tuple(names), False


def _read_list(path: Path) -> list[str]:
    try:
        values = json.loads(path.read_text(encoding="utf-8"))
    except ValueError as error:
        raise InputError(f"{path} is not a JSON file ({error}); it should hold a list of names") from error
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise InputError(f"{path} should hold a JSON list of names, one per class")
    return values
