"""What a data set is here: labelled pictures with random access."""

import abc
from typing import TypedDict

import numpy as np

from jaxpath.data.index import LeftOut
from jaxpath.types import InputError

UNLABELLED = -1
"""Label of a picture whose class nobody has said."""


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
        class_ids: The folder of each class where a list beside the data says it, such as ``n01440764``.
        classes_are_named: False where ``class_names`` are numerals that nobody gave.
        labels: int32 [N], or None where only reading every example would tell; :data:`UNLABELLED` where
            nobody has said the class.
        labels_are_ranks: True if a label is the rank of a class among those found, so that a class
            that is not there shifts the labels of all after it.
        left_out: What lies among the data and is none of the pictures.
        remark: What else is to be said of the data; mostly nothing.
    """

    class_names: tuple[str, ...]
    class_ids: tuple[str, ...] | None = None
    classes_are_named: bool = True
    labels: np.ndarray | None
    labels_are_ranks: bool = False
    left_out: tuple[LeftOut, ...] = ()
    remark: str = ""

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


class View(Source):
    """The examples of another source, seen otherwise; it has the same classes until it says others."""

    def __init__(self, source: Source):
        self.source: Source = source
        self.class_names = source.class_names
        self.class_ids = source.class_ids
        self.classes_are_named = source.classes_are_named
        self.labels = source.labels
        self.labels_are_ranks = source.labels_are_ranks
        self.left_out = source.left_out
        self.remark = source.remark

    def __len__(self) -> int:
        return len(self.source)

    def __getitem__(self, index: int) -> Example:
        return self.source[index]

    def name(self, index: int) -> str:
        return self.source.name(index)
