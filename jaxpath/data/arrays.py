"""Data sets that are arrays in memory, among them scikit-learn's digits."""

from collections.abc import Sequence

import numpy as np

from jaxpath.data.source import UNLABELLED, Example, Source
from jaxpath.data.splits import choose_split
from jaxpath.types import InputError

DIGITS_TEST_FRACTION = 0.2

_MOST_CLASSES = 1_000_000
"""Labels from there on are no numbers of classes."""


class ArraySource(Source):
    """Pictures that are already decoded.

    Args:
        images: uint8 [N, H, W, C] or [N, H, W], C 1 or 3.
        labels: Integers [N] or [N, 1] from 0 on; :data:`~jaxpath.data.UNLABELLED` for pictures of an
            unknown class.
        class_names: One name per class; by default the numerals up to the largest label.
        origin: What to call the data set in messages.

    Raises:
        InputError: The arrays do not have these shapes and types.

    >>> source = ArraySource(np.zeros((3, 8, 8), np.uint8), np.array([0, 1, 0]), class_names=["cat", "dog"])
    >>> len(source), source[1]["image"].shape, source.class_names[source[1]["label"]]
    (3, (8, 8, 1), 'dog')
    """

    def __init__(
        self,
        images: np.ndarray,
        labels: np.ndarray,
        *,
        class_names: Sequence[str] | None = None,
        origin: str = "the arrays",
    ):
        self.images = _check_images(np.asarray(images), origin)
        self.labels: np.ndarray = _check_labels(np.asarray(labels), len(self.images), origin, class_names)
        self.classes_are_named = class_names is not None
        if class_names is None:
            class_names = [str(label) for label in range(int(self.labels.max()) + 1)]
        self.class_names = tuple(class_names)
        self.origin = origin

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, index: int) -> Example:
        return {"image": self.images[index], "label": self.labels[index]}

    def name(self, index: int) -> str:
        return f"example {index} of {self.origin}"


def digits(split: str | None = None) -> ArraySource:
    """Returns scikit-learn's handwritten digits, 1797 pictures [8, 8, 1] in ten classes.

    Args:
        split: ``"train"``, ``"test"`` (every class's own fifth, always the same pictures), or None
            for all.

    Raises:
        InputError: No such split.

    >>> source = digits()
    >>> len(source), source[0]["image"].shape, int(source[0]["label"])
    (1797, (8, 8, 1), 0)
    >>> len(digits("train")) + len(digits("test"))
    1797
    """
    import sklearn.datasets

    bunch = sklearn.datasets.load_digits()
    # The file counts dark pixels in blocks of 4 x 4, so its values are 0 to 16.
    images = np.rint(bunch.images * (255 / 16)).astype(np.uint8)
    labels = bunch.target.astype(np.int32)
    places = np.arange(len(labels))
    if split is not None:
        test = _stratified(labels, DIGITS_TEST_FRACTION)
        parts = {"train": np.setdiff1d(places, test), "test": test}
        places = parts[choose_split(tuple(parts), split, "the digits")]
    return ArraySource(images[places], labels[places], origin=f"the digits{f' ({split})' if split else ''}")


def _stratified(labels: np.ndarray, fraction: float) -> np.ndarray:
    """Returns the sorted places of ``fraction`` of every class, drawn once and for all."""
    rng = np.random.default_rng(0)
    parts = []
    for label in np.unique(labels):
        places = np.flatnonzero(labels == label)
        parts.append(rng.permutation(places)[: round(fraction * len(places))])
    return np.sort(np.concatenate(parts))


def _check_images(images: np.ndarray, origin: str) -> np.ndarray:
    if images.dtype != np.uint8:
        raise InputError(
            f"the images of {origin} are {images.dtype}, but uint8 values 0 to 255 were expected"
        )
    if images.ndim == 3:
        images = images[..., None]
    if images.ndim != 4 or images.shape[-1] not in (1, 3) or 0 in images.shape:
        raise InputError(
            f"the images of {origin} have the shape {list(images.shape)}, but [N, H, W], [N, H, W, 1] or "
            "[N, H, W, 3] was expected; move the channels to the end with numpy.moveaxis"
        )
    return images


def _check_labels(
    labels: np.ndarray, size: int, origin: str, class_names: Sequence[str] | None
) -> np.ndarray:
    if labels.ndim == 2 and labels.shape[1] == 1:
        labels = labels[:, 0]
    if labels.shape != (size,) or labels.dtype.kind not in "iu":
        one_hot = "; of one-hot labels take the argmax" if labels.ndim == 2 else ""
        raise InputError(
            f"the labels of {origin} are {labels.dtype} of shape {list(labels.shape)}, but {size} integers, "
            f"one per image, were expected{one_hot}"
        )
    most = _MOST_CLASSES if class_names is None else len(class_names)
    outside = np.flatnonzero((labels < UNLABELLED) | (labels >= most))
    if outside.size:
        raise InputError(
            f"the label of example {outside[0]} of {origin} is {labels[outside[0]]}; expected 0 to {most - 1}"
            f"{'' if class_names is None else f', as there are {most} class names'}: number the classes from "
            "0 on"
        )
    return labels.astype(np.int32)
