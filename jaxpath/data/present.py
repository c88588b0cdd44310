"""The classes of a data set that are there, where a list names more."""

from collections.abc import Sequence

import numpy as np

from jaxpath.data.class_names import Relabelled
from jaxpath.data.source import Source
from jaxpath.types import InputError


def present_classes(sources: Sequence[Source], num_classes: int) -> list[Source]:
    """Data sets of the same classes with those classes only that have pictures, numbered in their order.

    A part of ImageNet with its ``wnids.json`` has 1000 classes; a classifier of the 20 that are there has 20.

    Args:
        sources: They have the same list of classes, which is as long as it was or shrinks for all of them.
        num_classes: How many there are to be: all of the list, or those with pictures in any of ``sources``.

    Raises:
        InputError: There are neither so many classes nor so many with pictures.

    >>> from jaxpath.data import ArraySource
    >>> pictures = np.zeros((2, 4, 4, 1), np.uint8)
    >>> source = ArraySource(pictures, np.array([3, 1]), class_names=["ant", "bee", "cat", "dog"])
    >>> (fewer,) = present_classes([source], 2)
    >>> fewer.class_names, fewer.labels.tolist()
    (('bee', 'dog'), [1, 0])
    """
    first = sources[0]
    if num_classes == first.num_classes:
        return list(sources)
    labels = [np.asarray(source.labels) for source in sources if source.labels is not None]
    present = np.unique(np.concatenate(labels)) if len(labels) == len(sources) else np.arange(0)
    present = present[present >= 0]
    if len(present) != num_classes:
        there = f", {len(present)} of them with pictures" if len(labels) == len(sources) else ""
        raise InputError(
            f"the data with {first.name(0)} have {first.num_classes} classes{there}, and {num_classes} were "
            "asked for; expected one of these numbers (--num-classes)"
        )
    places = np.full(first.num_classes, -1)
    places[present] = np.arange(num_classes)
    names = [first.class_names[label] for label in present]
    return [Relabelled(source, places, names) for source in sources]
