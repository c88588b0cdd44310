"""A stand-in for an encoder of pictures and words: class means of a classifier's features."""

from collections.abc import Mapping, Sequence

import numpy as np

from jaxpath.discover.embeddings import Embeddings
from jaxpath.types import InputError


def class_mean_embeddings(
    images: np.ndarray,
    learned: np.ndarray,
    labels: np.ndarray,
    class_names: Sequence[str],
    *,
    groups: Mapping[str, Sequence[str]] | None = None,
) -> Embeddings:
    """Words placed where the pictures of their classes are, by the features of any network.

    It is no encoder of language: it knows the classes and what is said of them, and nothing else. Features
    are taken relative to their mean over the pictures that are learned from, and brought to length 1, so that
    cosines tell classes apart. A class's word is the mean of its pictures, a group's that of its classes.

    Args:
        images: Features of the pictures to embed, [N, D].
        learned: Features of other pictures, [M, D].
        labels: Classes of these, int [M].
        class_names: One name per class; a class without pictures is left out.
        groups: Further words, and the names of the classes that each is true of.

    Raises:
        InputError: A group names no class that has pictures, or a word is a class's name.
    """
    center = learned.mean(axis=0, dtype=np.float64)
    directions = _directions(learned - center)
    means = {
        name: directions[labels == label].mean(axis=0)
        for label, name in enumerate(class_names)
        if (labels == label).any()
    }
    words = dict(means)
    for word, members in (groups or {}).items():
        unknown = [name for name in members if name not in means]
        if unknown or not members or word in means:
            found = f"the classes {unknown}" if unknown else "no class" if not members else "a class's name"
            raise InputError(
                f"the word {word!r} was given {found}; expected names of classes that have pictures, such as "
                f"{', '.join(list(means)[:3])}, and another word than these"
            )
        words[word] = np.mean([means[name] for name in members], axis=0)
    left_out = tuple(name for name in class_names if name not in means)
    texts = _directions(np.stack(list(words.values())))
    return Embeddings(
        _directions(images - center).astype(np.float32), texts.astype(np.float32), tuple(words), left_out
    )


def _directions(rows: np.ndarray) -> np.ndarray:
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
