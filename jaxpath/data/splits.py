"""Parts of data sets and their unions: named splits, views, random parts and divisions, concatenations."""

import bisect
import itertools
from collections.abc import Sequence

import numpy as np

from jaxpath.data.class_names import align
from jaxpath.data.labels import check_labels
from jaxpath.data.parts import find_part
from jaxpath.data.source import Example, Source, View
from jaxpath.types import InputError

SPLIT_NAMES = ("train", "test", "val", "validation", "valid")
"""Names under which the parts of a data set are looked for in files."""


class MissingSplit(InputError):
    """A data set has no such split.

    Attributes:
        names: The splits that it has; none if it is in one part.
    """

    def __init__(self, message: str, names: Sequence[str] = ()):
        super().__init__(message)
        self.names = tuple(names)


def choose_split(names: tuple[str, ...], split: str | None, origin: str) -> str:
    """Returns the name of the split to take: ``split``, or by default train or the only one.

    A name of the same meaning will do where there is one only, such as Training for train.

    Args:
        names: Names of the splits that there are; "" is a part without a name.
        split: What was asked for, or None.
        origin: What to call the data set in messages.

    Raises:
        MissingSplit: There is no such split, or none was asked for and none is the natural choice.
    """
    found = find_part(names, "train" if split is None else split)
    if found is not None:
        return found
    if split is None and len(names) == 1:
        return names[0]
    listed = ", ".join(name for name in names if name)
    if not listed:
        message = f'there is no split "{split}" in {origin}, which is in one part; ask for no split'
    elif split is None:
        message = f"{origin} has the splits {listed}; choose one of them"
    else:
        message = f'there is no split "{split}" in {origin}; choose one of {listed}'
    raise MissingSplit(message, [name for name in names if name])


class Subset(View):
    """The examples of ``source`` at ``indices`` [n], in that order.

    A subset of a subset refers to the first source, so ``subset.indices`` are always places there.
    """

    def __init__(self, source: Source, indices: Sequence[int] | np.ndarray):
        places = np.asarray(indices, np.int64)
        if isinstance(source, Subset):
            places, source = source.indices[places], source.source
        self.indices: np.ndarray = places
        super().__init__(source)
        self.labels = None if source.labels is None else source.labels[self.indices]

    def __len__(self) -> int:
        return len(self.indices)

    def __getitem__(self, index: int) -> Example:
        return self.source[int(self.indices[index])]

    def name(self, index: int) -> str:
        return self.source.name(int(self.indices[index]))


class Concatenation(Source):
    """The examples of several sources, one after the other; :func:`concatenate` makes it."""

    def __init__(self, sources: Sequence[Source]):
        self.sources = tuple(sources)
        self._ends = tuple(itertools.accumulate(len(source) for source in sources))
        classes = max(self.sources, key=lambda source: (source.classes_are_named, source.num_classes))
        self.class_names = classes.class_names
        self.class_ids = classes.class_ids
        self.classes_are_named = classes.classes_are_named
        self.left_out = tuple(row for source in self.sources for row in source.left_out)
        labels = [source.labels for source in sources]
        known = [values for values in labels if values is not None]
        self.labels = np.concatenate(known) if len(known) == len(labels) else None
        self.labels_are_ranks = any(source.labels_are_ranks for source in sources)

    def __len__(self) -> int:
        return self._ends[-1]

    def __getitem__(self, index: int) -> Example:
        source, place = self._locate(index)
        return source[place]

    def name(self, index: int) -> str:
        source, place = self._locate(index)
        return source.name(place)

    def _locate(self, index: int) -> tuple[Source, int]:
        number = bisect.bisect_right(self._ends, index)
        return self.sources[number], index - (self._ends[number - 1] if number else 0)


def concatenate(sources: Sequence[Source]) -> Concatenation:
    """Joins data sets of the same classes: those of the first that has names for them.

    Class names are compared, not counted, and labels are mapped by name where that leaves no doubt
    (:func:`~jaxpath.data.match_classes`). Data without class names fit if their labels are classes of the
    others.

    Raises:
        InputError: They differ in their classes.
    """
    first = next((source for source in sources if source.classes_are_named), None)
    if first is None:
        return Concatenation(sources)
    joined = []
    for source in sources:
        aligned = source if source is first else align(first, source, whose=f"the data with {first.name(0)}")
        try:
            check_labels(aligned, first.num_classes, needed=False)
        except InputError as error:
            raise InputError(
                f"the data sets to be joined have {first.num_classes} and {source.num_classes} classes; "
                f"expected the same classes in each: leave one of them out ({error})"
            ) from error
        joined.append(aligned)
    return Concatenation(joined)


def draw_places(size: int, count: int, *, seed: int) -> np.ndarray:
    """``count`` of ``size`` places, or all if there are no more, drawn at random, rising, int [n]."""
    return np.sort(np.random.default_rng(seed).permutation(size)[:count])


def draw(source: Source, count: int, *, seed: int) -> Subset:
    """``count`` examples of ``source``, or all if there are no more, drawn at random and in its order."""
    return Subset(source, draw_places(len(source), count, seed=seed))


def split(source: Source, fraction: float, seed: int) -> tuple[Subset, Subset]:
    """Divides ``source`` at random into two disjoint parts that together are all of it.

    The division is not stratified: a class may have a single picture.

    Args:
        source: What to divide, at least two examples.
        fraction: Part that is held out, between 0 and 1; at least one example goes to each side.
        seed: The same seed gives the same division.

    Returns:
        The rest and the held-out part, each in the order of ``source``.

    Raises:
        InputError: ``fraction`` is not between 0 and 1, or there are fewer than two examples.
    """
    if not 0 < fraction < 1:
        raise InputError(f"the held-out fraction is {fraction}, but it must lie between 0 and 1; take 0.2")
    size = len(source)
    if size < 2:
        raise InputError(f"a data set of {size} example(s) cannot be divided in two; at least 2 are needed")
    num_held_out = min(max(round(fraction * size), 1), size - 1)
    order = np.random.default_rng(seed).permutation(size)
    held_out, rest = np.sort(order[:num_held_out]), np.sort(order[num_held_out:])
    return Subset(source, rest), Subset(source, held_out)
