"""Concepts, and images and texts in one joint space: arrays of anybody's encoder."""

from pathlib import Path
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxpath.files import read_arrays, read_text, write_arrays
from jaxpath.types import InputError


class Embeddings(NamedTuple):
    """Images and concepts in a joint space of D dimensions.

    Attributes:
        images: [N, D].
        texts: [M, D], of the bare concepts in the same order.
        concepts: The M concepts.
        left_out: What was asked for and is no concept, because no image shows it.
    """

    images: np.ndarray
    texts: np.ndarray
    concepts: tuple[str, ...]
    left_out: tuple[str, ...] = ()


class Cosines(NamedTuple):
    """The concept matrix P [N, M] in the form of its factors, for data of which P itself is too large.

    Every similarity takes it in place of P and computes the part that it is about to use.

    Attributes:
        images: [N, D], rows of length 1.
        texts: [M, D], rows of length 1.
    """

    images: Array
    texts: Array

    @property
    def shape(self) -> tuple[int, int]:
        """(N, M)."""
        return len(self.images), len(self.texts)


def make_cosines(image_embeddings: Array | np.ndarray, text_embeddings: Array | np.ndarray) -> Cosines:
    """Normalises both; see :func:`concept_matrix`.

    Raises:
        InputError: They are no [N, D] and [M, D], a row is 0, or a value is not finite.
    """
    arrays = [jnp.asarray(array, jnp.float32) for array in (image_embeddings, text_embeddings)]
    if any(array.ndim != 2 for array in arrays) or arrays[0].shape[1] != arrays[1].shape[1]:
        raise InputError(
            f"image and text embeddings have the shapes {arrays[0].shape} and {arrays[1].shape}; expected "
            "[N, D] and [M, D] of one encoder"
        )
    lengths = [jnp.linalg.norm(array, axis=1, keepdims=True) for array in arrays]
    for kind, length in zip(("image", "text"), lengths, strict=True):
        if not bool((jnp.isfinite(length) & (length > 0)).all()):
            raise InputError(
                f"the {kind} embeddings hold rows that are 0 or not finite; expected a direction in each: "
                "compute them again"
            )
    return Cosines(*(array / length for array, length in zip(arrays, lengths, strict=True)))


def concept_matrix(image_embeddings: Array | np.ndarray, text_embeddings: Array | np.ndarray) -> Array:
    """P [N, M]: cosines of image embeddings [N, D] and text embeddings [M, D], float32.

    No logit scale and no template around the concept (official code).

    Raises:
        InputError: As :func:`make_cosines`.
    """
    images, texts = make_cosines(image_embeddings, text_embeddings)
    return images @ texts.T


def label_embeddings(labels: np.ndarray, class_names: tuple[str, ...]) -> Embeddings:
    """Images described by their class alone, without an encoder: the concepts are the classes that occur.

    A class without images would be judged by none: ``soft_wpmi`` and ``wpmi`` give it 0 for every unit, which
    is the best score of a unit whose scores are negative. Such classes are ``left_out``; the i-th concept is
    the class ``np.unique(labels)[i]``.

    Args:
        labels: int [N].
        class_names: One name per class.

    Raises:
        InputError: A label is no class.
    """
    num_classes = len(class_names)
    if not len(labels) or labels.min() < 0 or labels.max() >= num_classes:
        raise InputError(
            f"units were to be named after {num_classes} classes, but not every image has one of them; "
            "expected labels from 0 on: take a labelled data set"
        )
    classes, places = np.unique(labels, return_inverse=True)
    eye = np.eye(len(classes), dtype=np.float32)
    absent = np.setdiff1d(np.arange(num_classes), classes)
    concepts, left_out = (tuple(class_names[c] for c in group) for group in (classes, absent))
    return Embeddings(eye[places], eye, concepts, left_out)


def read_concepts(path: str | Path) -> tuple[str, ...]:
    """Reads concepts from a text file, one a line; blank lines are no concepts.

    Raises:
        InputError: There is no such file, or no concept in it.
    """
    lines = read_text(path, "a text file with one concept a line").splitlines()
    concepts = tuple(line.strip() for line in lines if line.strip())
    if not concepts:
        raise InputError(f"{path} holds no concept; give a text file with one concept a line")
    return concepts


_KEYS = "image_embeddings [N, D], text_embeddings [M, D] and concepts [M]"


def save_embeddings(embeddings: Embeddings, path: str | Path) -> None:
    """Writes an ``.npz`` file; :func:`load_embeddings` reads it."""
    arrays = {
        "image_embeddings": embeddings.images,
        "text_embeddings": embeddings.texts,
        "concepts": np.array(embeddings.concepts, np.str_),
    }
    write_arrays(path, arrays)


def load_embeddings(path: str | Path) -> Embeddings:
    """Reads an ``.npz`` file with ``image_embeddings``, ``text_embeddings`` and ``concepts``.

    Raises:
        InputError: There is no such file, it holds something else, or concepts and texts do not match.
    """
    arrays = read_arrays(path, f"an .npz file of embeddings, with {_KEYS}")
    try:
        embeddings = Embeddings(
            arrays["image_embeddings"].astype(np.float32),
            arrays["text_embeddings"].astype(np.float32),
            tuple(str(concept).strip() for concept in arrays["concepts"].tolist()),
        )
    except (KeyError, ValueError, TypeError) as error:
        raise InputError(
            f"{path} holds no embeddings ({error}); expected an .npz file with {_KEYS}"
        ) from error
    concepts, texts = embeddings.concepts, embeddings.texts
    if len(concepts) != len(texts) or not all(concepts):
        named = sum(map(bool, concepts))
        raise InputError(
            f"{path} has {len(texts)} text embeddings and {named} concepts that are not blank; "
            "expected one concept for each: leave blank lines out before they are embedded"
        )
    make_cosines(embeddings.images[:1], texts)
    return embeddings
