"""Which names of two lists are of the same class."""

import itertools
import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Sequence

import numpy as np

from jaxpath.data.class_index import are_numbers

NOWHERE = -1
"""Place of a name that has none."""


def match_names(own: Sequence[str], names: Sequence[str]) -> np.ndarray:
    """Finds the place among ``names`` of each name in ``own``, one place for each.

    A name goes to the best of these levels: the same name; the same but for case, spaces and underscores;
    of names such as ``tench, Tinca tinca`` the same first synonym; another synonym in common. Synonyms count
    only if all those of one name are among those of the other. What two classes of one list have in common
    tells nothing, except where the lists agree in all names and their order.

    >>> match_names(["Tench", "goldfish"], ["goldfish", "tench, Tinca tinca"]).tolist()
    [1, 0]
    >>> match_names(["NY"], ["Albany, NY", "New York, NY"]).tolist()
    [-1]

    Args:
        own: K names.
        names: The names of the other list.

    Returns:
        The place of each name, int64 [K]; :data:`NOWHERE` for one without a certain place.
    """
    first, other = _Spellings(own), _Spellings(names)
    search = _Search(first, other)
    for level in range(len(_LEVELS)):
        search.place(level)
    if not in_place(search.places, names):
        # Only lists that agree in all else break ties by their order.
        search.places[search.tied] = NOWHERE
    return search.places


def in_place(places: np.ndarray, names: Sequence[str]) -> bool:
    """Whether two lists agree in all names and their order, by the places of :func:`match_names`."""
    return np.array_equal(places, np.arange(len(names)))


def alike(name: str, names: Sequence[str]) -> list[str]:
    """Those of ``names`` that share a synonym with ``name``, whether or not it tells which class it is."""
    keys = _all_keys(name)
    return [other for other in names if keys & _all_keys(other)]


def strangers(own: Sequence[str], names: Sequence[str]) -> list[str]:
    """Those of ``own`` that share no synonym with any of ``names``."""
    keys = set().union(*map(_all_keys, names))
    return [name for name in own if keys.isdisjoint(_all_keys(name))]


def share_a_name(own: Sequence[str], names: Sequence[str]) -> bool:
    """Whether a name is in both lists, but for case, spaces and underscores."""
    return not set(map(_fold, own)).isdisjoint(map(_fold, names))


def _exact(name: str) -> str:
    return unicodedata.normalize("NFC", name)


def _fold(name: str) -> str:
    name = _exact(name)
    if are_numbers([name]):
        return str(int(name))
    # Not casefold, nor NFKC: they take different letters for one, such as those of Masse and Maße.
    return re.sub(r"[\s_]+", " ", name).strip().lower() or name


def _parts(name: str) -> list[str]:
    """The synonyms of a name such as ``tench, Tinca tinca``."""
    return [part for part in map(str.strip, _exact(name).split(",")) if part] or [name]


def _all_keys(name: str) -> set[str]:
    return {_fold(name), *map(_fold, _parts(name))}


_LEVELS: tuple[Callable[[str], set[str]], ...] = (
    lambda name: {_exact(name)},
    lambda name: {_fold(name)},
    lambda name: {_parts(name)[0]},
    lambda name: {_fold(_parts(name)[0])},
    _all_keys,
)
"""What names of one class have in common, best first."""

_FOLDED, _FIRST_SYNONYM, _ANY_SYNONYM = 1, 2, 4


class _Spellings:
    """What is compared of a list of names.

    Attributes:
        keys: Of each level and class.
        classes: Of each level: the classes that have a key.
        parts: The classes that have a synonym, exactly so.
        synonyms: Of each class, folded.
    """

    def __init__(self, names: Sequence[str]):
        self.keys = [[level(name) for name in names] for level in _LEVELS]
        self.classes = [_invert(keys) for keys in self.keys]
        self.parts = _invert([set(_parts(name)) for name in names])
        self.synonyms = [set(map(_fold, _parts(name))) for name in names]

    def others(self, name: set[str], but: int) -> set[int]:
        """The classes besides ``but`` of which ``name`` is a synonym, exactly so."""
        return set().union(*(self.parts.get(key, set()) for key in name)) - {but}


def _invert(keys: list[set[str]]) -> dict[str, set[int]]:
    classes: dict[str, set[int]] = {}
    for place, some in enumerate(keys):
        for key in some:
            classes.setdefault(key, set()).add(place)
    return classes


class _Search:
    """Gives the names of one list places in another, level by level."""

    def __init__(self, own: _Spellings, names: _Spellings):
        self._own, self._names = own, names
        self._same_size = len(own.synonyms) == len(names.synonyms)
        self.places = np.full(len(own.synonyms), NOWHERE)
        self.tied = np.zeros(len(own.synonyms), bool)
        self._waiting = set(range(len(own.synonyms)))
        self._free = set(range(len(names.synonyms)))

    def place(self, level: int) -> None:
        ties = {label for label in self._waiting & self._free if self._is_tied(level, label)}
        self._settle([(label, label) for label in ties])
        self.tied[list(ties)] = True
        found = {label: self._candidates(level, label) for label in self._waiting}
        claims = Counter(itertools.chain.from_iterable(found.values()))
        sole = [(label, min(some)) for label, some in found.items() if len(some) == 1]
        pairs = [(label, place) for label, place in sole if claims[place] == 1]
        if level != _FOLDED:
            self._settle(pairs)
            return
        # "Cardigan" may be the sweater "cardigan", or "Cardigan, Cardigan Welsh corgi": see who is left.
        self._settle([pair for pair in pairs if not self._has_rivals(*pair)])
        rest = [pair for pair in pairs if pair[0] in self._waiting]
        doubtful = [pair for pair in rest if self._has_rivals(*pair)]
        self._settle([pair for pair in rest if pair not in doubtful])
        self._take_away(doubtful)

    def _candidates(self, level: int, label: int) -> set[int]:
        """The free places of which a class has a key that no other class of either list has."""
        found = set()
        for key in self._own.keys[level][label]:
            there = self._names.classes[level].get(key, set())
            if len(self._own.classes[level][key]) == len(there) == 1:
                found |= {place for place in there & self._free if self._fit(level, label, place)}
        return found

    def _is_tied(self, level: int, label: int) -> bool:
        """Whether several classes, at the same places of both lists, bear a name that is the class's own."""
        if not self._same_size or level == _ANY_SYNONYM:
            return False
        (key,) = self._own.keys[level][label]
        here, there = self._own.classes[level][key], self._names.classes[level].get(key)
        if len(here) == 1 or here != there:
            return False
        whole = level % _FIRST_SYNONYM
        return (
            key in self._own.classes[whole]
            and key in self._names.classes[whole]
            and self._fit(level, label, label)
        )

    def _fit(self, level: int, label: int, place: int) -> bool:
        """Whether one of two names has all synonyms of the other, where it comes to that."""
        ours, theirs = self._own.synonyms[label], self._names.synonyms[place]
        return level < _FIRST_SYNONYM or ours <= theirs or theirs <= ours

    def _has_rivals(self, label: int, place: int) -> bool:
        """Whether one of two names that are not quite the same is exactly a synonym of another class."""
        there = self._names.others(self._own.keys[0][label], place) & self._free
        here = self._own.others(self._names.keys[0][place], label) & self._waiting
        return bool(there or here)

    def _settle(self, pairs: list[tuple[int, int]]) -> None:
        for label, place in pairs:
            self.places[label] = place
        self._take_away(pairs)

    def _take_away(self, pairs: list[tuple[int, int]]) -> None:
        self._waiting -= {label for label, _ in pairs}
        self._free -= {place for _, place in pairs}
