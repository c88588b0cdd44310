"""Whether two lists of class names are of the same classes, and labels by name if the order differs."""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from jaxpath.data.class_index import are_numbers
from jaxpath.data.labels import check_labels
from jaxpath.data.name_matching import NOWHERE, alike, in_place, match_names, share_a_name, strangers
from jaxpath.data.notes import tell_once
from jaxpath.data.source import Example, Source, View
from jaxpath.types import InputError

_WNID = re.compile(r"n[0-9]{8}")
_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]+)?")


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

    Names are matched by :func:`~jaxpath.data.name_matching.match_names`: the same names first, then those
    that differ in case, spaces and underscores, then synonyms with commas between them. Where every class
    that occurs has one certain place among the names of ``known``, labels are mapped by name. Numbers,
    WordNet ids and words say nothing about each other if none is in both lists, and numerals that nobody
    gave say nothing at all: then ``source`` is returned as it is. A data set whose class folders are listed
    in ``wnids.json`` may have its own words for all of the classes.

    Args:
        source: The data.
        known: The classes.

    Raises:
        InputError: The names are of other classes, or leave a doubt which is which.
    """
    pairs = _comparable(source, known)
    if not pairs:
        return source
    for own, names in pairs:
        places = match_names(own, names)
        if in_place(places, names):
            return source
        if (places[_occurring(source, len(own))] != NOWHERE).all():
            return Relabelled(source, places, known.names)
    own, names = pairs[0]
    if source.class_ids is not None and _may_be_listed(own, names):
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
    if known is None or not known.names:
        check_labels(source, num_classes, needed=needed)
        return source
    fitted = match_classes(source, known)
    check_labels(fitted, num_classes, needed=needed)
    if fitted is source and source.labels_are_ranks and not _comparable(source, known):
        _tell_ranks(source, known)
    return fitted


def _tell_ranks(source: Source, known: Known) -> None:
    """Says which class each folder is taken for, unless the folders are the numbers of the classes."""
    own = source.class_names
    if are_numbers(own) and sorted(map(int, own)) == list(range(len(own))):
        return
    first = [f'"{name}" for "{known.names[rank]}"' for rank, name in enumerate(own[:3])]
    tell_once(
        f"the class folders of the data with {_where(source)} are taken by their order for the classes of "
        f"{known.whose}: {', '.join(first)}{', ...' if len(own) > 3 else ''}; if that is wrong, list the "
        "folders in the order of the classes in a wnids.json beside the data"
    )


def contradict(names: Sequence[str], others: Sequence[str]) -> bool:
    """Whether two lists of names of the same classes have some in common, and do not agree in all."""
    places = match_names(names, others)
    if in_place(places, others):
        return False
    return bool((places != NOWHERE).any()) or share_a_name(names, others)


def align(first: Source, other: Source, *, whose: str = "the training data") -> Source:
    """``other`` with the labels of ``first``.

    Raises:
        InputError: They are of other classes; or their names are of other kinds, such as words and numbers,
            and labels are the ranks of the names.
    """
    if not first.classes_are_named:
        return other
    known = classes_of(first, whose)
    ranks = other.labels_are_ranks or (first.labels_are_ranks and other.class_ids is None)
    if ranks and other.classes_are_named and not _comparable(other, known):
        raise InputError(
            f"the classes of the data with {_where(other)} are {_list(other.class_names)} and those of "
            f"{whose} {_list(known.names)}, so that it is unknown which is which; rename the class folders "
            f"alike, or list the first in the order of the classes of {whose} in a wnids.json beside them"
        )
    return match_classes(other, known)


def classes_of(source: Source, whose: str) -> Known:
    """The classes of a data set, as far as they have names."""
    return Known(source.class_names if source.classes_are_named else (), whose, source.class_ids)


def _kind(names: Iterable[str]) -> str:
    if all(map(_NUMBER.fullmatch, names)):
        return "numbers"
    return "wnids" if all(map(_WNID.fullmatch, names)) else "words"


def _comparable(source: Source, known: Known) -> list[tuple[tuple[str, ...], tuple[str, ...]]]:
    """The lists of names of the data and of ``known`` that say something about each other, best first."""
    if not source.classes_are_named:
        return []
    pairs = [
        (own, names)
        for names in (known.names, known.ids)
        for own in (source.class_names, source.class_ids)
        if own and names and (_kind(own) == _kind(names) or share_a_name(own, names))
    ]
    # Where there are WordNet ids for both, no name is as certain.
    return [pair for pair in pairs if set(map(_kind, pair)) == {"wnids"}] or pairs


def _may_be_listed(own: Sequence[str], names: Sequence[str]) -> bool:
    """Whether two lists may be of the same classes in the same order if somebody says so."""
    places = match_names(own, names)
    elsewhere = (places != NOWHERE) & (places != np.arange(len(own)))
    other_words = len(strangers(own, names)) in (0, len(own))
    return len(own) == len(names) and _kind(own) != "wnids" and other_words and not elsewhere.any()


def _occurring(source: Source, num_classes: int) -> np.ndarray:
    """The labels that occur, or all where only reading would tell."""
    labels = np.arange(num_classes) if source.labels is None else np.unique(np.asarray(source.labels))
    return labels[(labels >= 0) & (labels < num_classes)]


def _difference(source: Source, own: Sequence[str], names: Sequence[str], whose: str) -> str:
    """The sentence for classes that do not match."""
    there = [own[label] for label in _occurring(source, len(own))]
    strange = strangers(there, names)
    of = _where(source)
    if strange:
        what = (
            f'the class "{strange[0]}" of the data with {of} ({len(strange)} such of {len(own)}) is not '
            f"among the {len(names)} classes of {whose} ({_list(names)})"
        )
    else:
        places = match_names(own, names)
        doubtful = next(own[label] for label in _occurring(source, len(own)) if places[label] == NOWHERE)
        what = (
            f"the data with {of} have the classes {_list(alike(doubtful, own))} and {whose} "
            f"{_list(alike(doubtful, names))}, so that it is unknown which is which"
        )
    return (
        f"{what}; take data of the same classes, or list the class folders in the order of the classes in a "
        "wnids.json beside the data"
    )


def _where(source: Source) -> str:
    return source.name(0) if len(source) else "no images"


def _list(names: Sequence[str]) -> str:
    return ", ".join(f'"{name}"' for name in names[:3]) + (", ..." if len(names) > 3 else "")
