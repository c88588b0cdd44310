"""Whether the labels of a data set are classes of a target."""

import numpy as np

from jaxpath.data.source import UNLABELLED, Source
from jaxpath.types import InputError

_PROBES = 16
"""Examples that are read where only reading tells a label."""


def check_labels(source: Source, num_classes: int, *, needed: bool = True) -> None:
    """Raises an error unless the labels of ``source`` are classes of a target with ``num_classes``.

    Args:
        source: The data.
        num_classes: Of the target.
        needed: Whether every picture must have a label. If not, data without any label pass as well: their
            labels are all :data:`~jaxpath.data.UNLABELLED`.

    Raises:
        InputError: A label lies outside [0, num_classes); labels are missing; the labels are not known, or
            are ranks of the classes found, and there are not as many classes as the target has; or labels
            from 1 on do not tell from which number they count.
    """
    labels = _some_labels(source)
    if len(labels) and (labels == UNLABELLED).all():
        if needed:
            raise InputError(
                f"{source.name(0)} has the label {UNLABELLED}, as all others: the classes of these "
                f"{len(source)} images are not known, but they are needed here; take labelled data"
            )
        return
    _check_range(source, labels, num_classes)
    if source.labels_are_ranks and source.num_classes != num_classes:
        raise InputError(
            f"the data have {source.num_classes} class folders and the target {num_classes} classes, so it "
            f"is unknown which class is which; put a wnids.json beside the data: the list of all "
            f"{num_classes} folder names in the order of the target's classes"
        )
    if (source.labels is None or source.classes_are_named) and source.num_classes != num_classes:
        raise InputError(
            f"the data have {source.num_classes} classes, but the target has {num_classes}; take the target "
            "that belongs to these data"
        )
    if not source.classes_are_named and source.num_classes == num_classes > 2:
        _check_first(source, num_classes)


def names_of_classes(source: Source, num_classes: int) -> tuple[str, ...]:
    """A name for each of a target's classes: those of the data if there are as many, else numbers."""
    if source.num_classes == num_classes:
        return source.class_names
    return tuple(str(label) for label in range(num_classes))


def labels_known(source: Source) -> bool:
    """Whether every picture has a label, as far as can be told without reading all."""
    labels = _some_labels(source)
    return bool(len(labels)) and not (labels == UNLABELLED).any()


def _some_labels(source: Source) -> np.ndarray:
    """The labels; where only reading tells them, those of a few examples, spread over all."""
    if source.labels is not None:
        return np.asarray(source.labels)
    places = np.unique(np.linspace(0, len(source) - 1, min(_PROBES, len(source))).astype(int))
    return np.array([source[int(place)]["label"] for place in places], np.int32)


def _check_range(source: Source, labels: np.ndarray, num_classes: int) -> None:
    outside = np.flatnonzero((labels < 0) | (labels >= num_classes))
    if not outside.size:
        return
    first = int(outside[0])
    where = source.name(first) if source.labels is not None else f"an example of {source.name(0)}"
    raise InputError(
        f"{where} has the label {labels[first]}, but the target's {num_classes} classes have the labels 0 to "
        f"{num_classes - 1}; take the target that belongs to these data"
    )


def _check_first(source: Source, num_classes: int) -> None:
    """Raises an error if the labels are exactly 1, 2 and so on to the largest."""
    if np.array_equal(np.unique(np.asarray(source.labels)), np.arange(1, num_classes)):
        raise InputError(
            f"the labels of {source.name(0)} and the others are 1 to {num_classes - 1} and none is 0, so "
            "that it is unknown from which number they count; count from 0, or add class_names to the data"
        )
