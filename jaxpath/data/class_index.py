"""Which label a class folder has."""

import itertools
import json
import re
from collections.abc import Callable, Iterable, Sequence
from typing import NamedTuple

import numpy as np

from jaxpath.types import InputError

CLASS_INDEX, CLASS_NAMES = "wnids.json", "class_names.json"
"""Lists of all class folders in the order of the labels, and of the names to show."""

_NUMBER = re.compile(r"[0-9]{1,18}")


class ClassIndex(NamedTuple):
    """All class folders of a data set, also those that are not there.

    Attributes:
        ids: Names of the folders in the order of the labels.
        names: Names to show, as many.
        origin: Where this is written.
    """

    ids: tuple[str, ...]
    names: tuple[str, ...]
    origin: str


class Labelling(NamedTuple):
    """The labels of class folders.

    Attributes:
        labels: The label of each folder, int64 [F].
        class_names: A name for every label.
        class_ids: The folder of every label, if a class index says it.
        are_ranks: Whether the labels are the ranks of the folders that happen to be there.
    """

    labels: np.ndarray
    class_names: tuple[str, ...]
    class_ids: tuple[str, ...] | None
    are_ranks: bool


def are_numbers(names: Iterable[str]) -> bool:
    """Whether all names are whole numbers, such as 7 or 007.

    >>> are_numbers(["1", "02", "10"]), are_numbers(["1", "two"])
    (True, False)
    """
    return all(_NUMBER.fullmatch(name) for name in names)


def order_folders(names: Iterable[str]) -> list[str]:
    """Class folders in the order of their ranks: numbers by their value, other names as text.

    >>> order_folders(["10", "9", "1"]), order_folders(["b10", "b9"])
    (['1', '9', '10'], ['b10', 'b9'])
    """
    names = sorted(names)
    return sorted(names, key=int) if are_numbers(names) else names


def make_class_index(ids: Sequence[str], names: Sequence[str] | None, origin: str) -> ClassIndex:
    """A class index of lists that somebody wrote.

    Args:
        ids: All class folders in the order of the labels.
        names: The names to show; None shows ``ids``.
        origin: Where this is written.

    Raises:
        InputError: A folder is listed twice, or there are not as many names.
    """
    if len(set(ids)) != len(ids):
        twice = next(name for place, name in enumerate(ids) if name in ids[:place])
        raise InputError(
            f'{origin} lists "{twice}" twice; expected every class folder once: correct the list'
        )
    if names is not None and len(names) != len(ids):
        raise InputError(
            f"{origin} lists {len(ids)} class folders, but {CLASS_NAMES} beside it has {len(names)} names; "
            "expected one name for each folder: correct one of them, or remove the names"
        )
    return ClassIndex(tuple(ids), tuple(ids if names is None else names), origin)


def find_class_index(places: Iterable[tuple[str, Callable[[str], bytes | None]]]) -> ClassIndex | None:
    """Looks for a list of all class folders, in one place after the other.

    Args:
        places: What to call each place, and a function that reads a file there; it returns None where there
            is no such file.

    Raises:
        InputError: The list, or the names beside it, are none.
    """
    for where, read in places:
        ids = read(CLASS_INDEX)
        if ids is not None:
            origin = f"{where}/{CLASS_INDEX}"
            names = read(CLASS_NAMES)
            shown = None if names is None else _parse_list(names, f"{where}/{CLASS_NAMES}")
            return make_class_index(_parse_list(ids, origin), shown, origin)
    return None


def label_folders(folders: Sequence[str], index: ClassIndex | None, origin: str) -> Labelling:
    """Decides which label each class folder has: its place in the class index, else its rank.

    Args:
        folders: Names of the class folders, F of them, in the order of :func:`order_folders`.
        index: All class folders, if somebody has listed them.
        origin: What to call the data in messages.

    Raises:
        InputError: A folder is not in the class index; or two folders are the same number.
    """
    if index is not None:
        return Labelling(_places(folders, index, origin), index.names, index.ids, are_ranks=False)
    if are_numbers(folders) and len(set(map(int, folders))) < len(folders):
        first, second = next((a, b) for a, b in itertools.pairwise(folders) if int(a) == int(b))
        raise InputError(
            f'the class folders "{first}" and "{second}" of {origin} are the same number; rename one of '
            f"them, or list all folders in the order of the labels in a {CLASS_INDEX}"
        )
    return Labelling(np.arange(len(folders)), tuple(folders), None, are_ranks=True)


def ranks_remark(folders: Sequence[str], counts: Sequence[int] | np.ndarray) -> str:
    """What is to be said of labels that are the ranks of class folders; mostly nothing.

    Args:
        folders: Names of the class folders, F of them, in the order of :func:`order_folders`.
        counts: Number of pictures of each.

    >>> ranks_remark(["ant", "bee", "cat"], [5, 0, 2])
    'the folder "bee" is empty and counts as a class; remove it if it is none'
    """
    return "; ".join(filter(None, (_order_remark(folders), _empty_remark(folders, counts))))


def _empty_remark(folders: Sequence[str], counts: Sequence[int] | np.ndarray) -> str:
    empty = [name for name, count in zip(folders, counts, strict=True) if not count]
    if len(empty) > 1:
        several = f'{len(empty)} folders such as "{empty[0]}"'
        return f"{several} are empty and count as classes; remove those that are none"
    return f'the folder "{empty[0]}" is empty and counts as a class; remove it if it is none' if empty else ""


def _order_remark(folders: Sequence[str]) -> str:
    """What is to be said of the order of class folders that are numbers; nothing of others.

    >>> _order_remark(["1", "2", "10"])[:60]
    'the class folders are numbers and sorted as such, "2" before'
    """
    as_text = sorted(folders)
    if list(folders) == as_text:
        return ""
    first, second = next((a, b) for a, b in zip(folders, as_text, strict=True) if a != b)
    return (
        f'the class folders are numbers and sorted as such, "{first}" before "{second}"; if the classifier '
        f"has them in the order of text, list them in that order in a {CLASS_INDEX}"
    )


def _places(folders: Sequence[str], index: ClassIndex, origin: str) -> np.ndarray:
    place = {name: label for label, name in enumerate(index.ids)}
    unknown = [name for name in folders if name not in place]
    if unknown:
        raise InputError(
            f'the class folder "{unknown[0]}" of {origin} ({len(unknown)} such) is not among the '
            f"{len(place)} names of {index.origin}; rename the folder or correct the list"
        )
    return np.array([place[name] for name in folders], np.int64)


def _parse_list(text: bytes, origin: str) -> list[str]:
    try:
        values = json.loads(text.decode("utf-8-sig"))
    except (ValueError, RecursionError) as error:
        raise InputError(f"{origin} is not a JSON file ({error}); it should hold a list of names") from error
    if not isinstance(values, list) or not all(isinstance(value, str) for value in values):
        raise InputError(f"{origin} does not hold a JSON list of names; write one name per class")
    return values
