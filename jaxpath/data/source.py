"""What a data set is here: labelled pictures with random access."""

import abc
from typing import TypedDict

import numpy as np

from jaxpath.types import InputError


class UnreadableImage(InputError):
    """A file or record that holds no picture; the one mistake that can be skipped."""


class NothingReadable(InputError):
    """Unreadable pictures were to be skipped, and there is no other."""


class Example(TypedDict):
    """One example: the picture, decoded (uint8 [H, W, C]) or as the bytes of its file; its class."""

    image: np.ndarray | bytes
    label: np.int32


class Source(abc.ABC):
    """Labelled pictures with random access, cheap to send to another process.

    Attributes:
        class_names: One name per class, in the order of the labels.
        labels: int32 [N], or None where only reading every example would tell.
        labels_are_ranks: True if a label is the rank of a class among those found, so that a class
            that is not there shifts the labels of all after it.
    """

    class_names: tuple[str, ...]
    labels: np.ndarray | None
    labels_are_ranks: bool = False

    @property
    def num_classes(self) -> int:
        """Number of classes K; labels lie in [0, K)."""
        return len(self.class_names)

    @abc.abstractmethod
    def __len__(self) -> int:
        """Number of examples N."""

    @abc.abstractmethod
    def __getitem__(self, index: int) -> Example:
        """Returns the example at ``index``, in [0, N).

        Raises:
            UnreadableImage: Its file cannot be read.
        """

    @abc.abstractmethod
    def name(self, index: int) -> str:
        """Returns what to call an example in messages, such as the path of its file."""


def check_labels(source: Source, num_classes: int) -> None:
    """Raises an error unless the labels of ``source`` are classes of a target with ``num_classes``.

    Raises:
        InputError: A label lies outside [0, num_classes); or the labels are not known, or are ranks
            of the classes found, and there are not as many classes as the target has.
    """
    if source.labels is not None and len(source.labels):
        outside = np.flatnonzero((source.labels < 0) | (source.labels >= num_classes))
        if outside.size:
            first = int(outside[0])
            raise InputError(
                f"{source.name(first)} has the label {source.labels[first]}, but the target's "
                f"{num_classes} classes have the labels 0 to {num_classes - 1}; take the target that belongs "
                "to these data"
            )
    if source.labels is None and source.num_classes != num_classes:
        raise InputError(
            f"the data have {source.num_classes} classes, but the target has {num_classes}; take the target "
            "that belongs to these data"
        )
    if source.labels_are_ranks and source.num_classes != num_classes:
        raise InputError(
            f"the data have {source.num_classes} class folders and the target {num_classes} classes, so it "
            f"is unknown which class is which; put a wnids.json beside the data: the list of all "
            f"{num_classes} folder names in the order of the target's classes"
        )
