"""Whether two lists of class names are of the same classes, and labels by name if the order differs."""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from jaxpath.data.class_index import are_numbers
from jaxpath.data.labels import check_labels
from jaxpath.data.source import Example, Source, View
from jaxpath.types import InputError

_WNID = re.compile(r"n[0-9]{8}")

_NOT_THERE = -2


class Relabelled(View):
    """The examples of a source with other labels; :func:`match_classes` makes it.

    Args:
        source: The examples.
        places: The new label of each of its classes, int [K]; negative for classes without examples.
        class_names: Names of the new classes.
    """

    def __init__(self, source: Source, places: np.ndarray, class_names: Sequence[str]):
        super().__init__(source)
        self._places = places.astype(np.int32)
        self.class_names = tuple(class_names)
        self.class_ids = None
        self.labels_are_ranks = False
        self.labels = None if source.labels is None else self._new(np.asarray(source.labels))

    def __getitem__(self, index: int) -> Example:
        example = self.source[index]
        return {"image": example["image"], "label": np.int32(self._new(np.asarray(example["label"])))}

    def _new(self, labels: np.ndarray) -> np.ndarray:
        return np.where(labels < 0, labels, self._places[np.maximum(labels, 0)]).astype(np.int32)


class Known(NamedTuple):
    """Classes that data are compared with.

    Attributes:
        names: One name per class, in the order of the labels; empty if nobody has named them.
        whose: What to call them in messages, such as "the classifier".
        ids: Their folders, where a list says them.
    """

    names: tuple[str, ...]
    whose: str
    ids: tuple[str, ...] | None = None


def match_classes(source: Source, known: Known) -> Source:
    """``source`` with the labels of ``known``: the same object if classes and order agree.

    Names are compared without regard to case, spaces and underscores; of synonyms with commas between them
    one is enough. Numbers, WordNet ids and words say nothing about each other, and numerals that nobody gave
    say nothing at all: then ``source`` is returned as it is. Where every class that occurs has one place
    among the names of ``known``, labels are mapped by name. A data set whose class folders are listed in
    ``wnids.json`` may have its own words for all of the classes.

    Args:
        source: The data.
        known: The classes.

    Raises:
        InputError: The names are of other classes, or in another order that leaves a doubt.
    """
    if not source.classes_are_named:
        return source
    pairs = [
        (own, names)
        for names in (known.names, known.ids)
        for own in (source.class_names, source.class_ids)
        if own and names and _kind(own) == _kind(names)
    ]
    if not pairs or any(_agree(own, names) for own, names in pairs):
        return source
    for own, names in pairs:
        places = _places(source, own, names)
        if places is not None:
            return Relabelled(source, places, known.names)
    own, names = pairs[0]
    if source.class_ids is not None and len(own) == len(names) and not set(_keys(own)) & set(_keys(names)):
        return source
    raise InputError(_difference(source, own, names, known.whose))


def fit_classes(
    source: Source, num_classes: int, known: Known | None = None, *, needed: bool = True
) -> Source:
    """``source`` with the labels of a classifier: :func:`match_classes`, then :func:`check_labels`.

    Args:
        source: The data.
        num_classes: Of the classifier.
        known: Its classes, if they have names.
        needed: Whether every picture must have a label.

    Raises:
        InputError: The labels are no classes of the classifier, or the names are of others.
    """
    if known is not None and known.names:
        source = match_classes(source, known)
    check_labels(source, num_classes, needed=needed)
    return source


def contradict(names: Sequence[str], others: Sequence[str]) -> bool:
    """Whether two lists of names of the same classes have some in common, in another order."""
    return not _agree(names, others) and bool(set(_keys(names)) & set(_keys(others)))


def align(first: Source, other: Source, *, whose: str = "the training data") -> Source:
    """``other`` with the labels of ``first``.

    Raises:
        InputError: They are of other classes.
    """
    return match_classes(other, classes_of(first, whose)) if first.classes_are_named else other


def classes_of(source: Source, whose: str) -> Known:
    """The classes of a data set, as far as they have names."""
    return Known(source.class_names if source.classes_are_named else (), whose, source.class_ids)


def _kind(names: Iterable[str]) -> str:
    if are_numbers(names):
        return "numbers"
    return "wnids" if all(map(_WNID.fullmatch, names)) else "words"


def _key(name: str) -> str:
    """What two spellings of one name have in common."""
    if are_numbers([name]):
        return str(int(name))
    return re.sub(r"[\s_-]+", " ", unicodedata.normalize("NFKC", name)).strip().casefold()


def _synonyms(name: str) -> set[str]:
    return {_key(name), *(key for part in name.split(",") if (key := _key(part)))}


def _keys(names: Iterable[str]) -> list[str]:
    return [_key(name) for name in names]


def _agree(own: Sequence[str], names: Sequence[str]) -> bool:
    if len(own) != len(names):
        return False
    return all(a == b or _synonyms(a) & _synonyms(b) for a, b in zip(own, names, strict=True))


def _places(source: Source, own: Sequence[str], names: Sequence[str]) -> np.ndarray | None:
    """Int [K]: the place among ``names`` of each class that occurs; None if one has no place or several."""
    by_key: dict[str, set[int]] = {}
    for place, name in enumerate(names):
        for key in _synonyms(name):
            by_key.setdefault(key, set()).add(place)
    labels = range(len(own)) if source.labels is None else np.unique(np.asarray(source.labels)).tolist()
    places = np.full(len(own), _NOT_THERE)
    for label in labels:
        if not 0 <= label < len(own):
            continue
        found = set().union(*(by_key.get(key, set()) for key in _synonyms(own[label])))
        if len(found) != 1:
            return None
        (places[label],) = found
    used = places[places >= 0]
    return places if len(set(used.tolist())) == len(used) else None


def _difference(source: Source, own: Sequence[str], names: Sequence[str], whose: str) -> str:
    """The sentence for classes that do not match."""
    there = {key for name in names for key in _synonyms(name)}
    strange = [name for name in own if not _synonyms(name) & there]
    of = source.name(0) if len(source) else "the data"
    if strange:
        listed = ", ".join(f'"{name}"' for name in names[:3])
        what = (
            f'the class "{strange[0]}" of the data with {of} ({len(strange)} such of {len(own)}) is not '
            f"among the {len(names)} classes of {whose} ({listed}{', ...' if len(names) > 3 else ''})"
        )
    else:
        what = (
            f"the classes of the data with {of} are those of {whose} in another order, and some have the "
            "same name, so that it is unknown which is which"
        )
    return (
        f"{what}; take data of the same classes, or list the class folders in the order of the classes in a "
        "wnids.json beside the data"
    )
