"""Does the pathway carry the decision? Exact functions of per-image results on the host."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxpath.finite import check

_ROUNDING = 1e-6
"""Float32 probabilities closer than this are equal."""


def confidences(clean_logits: Array, masked_logits: Array) -> dict[str, Array]:
    """What every faithfulness metric needs of a batch; runs on the device.

    Args:
        clean_logits: H(x), [B, K].
        masked_logits: H(x; m), [B, K].

    Returns:
        ``predicted`` c = argmax H(x) and ``masked_predicted`` argmax H(x; m), int [B];
        ``clean_confidence`` p = softmax H(x)_c and ``masked_confidence`` o = softmax H(x; m)_c, [B].
    """
    predicted = clean_logits.argmax(axis=-1)
    return {
        "predicted": predicted,
        "masked_predicted": masked_logits.argmax(axis=-1),
        "clean_confidence": probability(clean_logits, predicted),
        "masked_confidence": probability(masked_logits, predicted),
    }


def probability(logits: Array, classes: Array) -> Array:
    """softmax(logits)_c of logits [B, K] and classes [B] -> [B]; runs on the device."""
    return jnp.take_along_axis(jax.nn.softmax(logits), classes[:, None], axis=1)[:, 0]


def agreements(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Whether two arrays of classes agree, image by image: 1.0 or 0.0.

    Fidelity compares the masked with the clean prediction, accuracy with the label.

    Raises:
        InputError: A value is not finite.
    """
    check("classes", first, second)
    return (np.asarray(first) == np.asarray(second)).astype(np.float64)


def agreement(first: np.ndarray, second: np.ndarray) -> float:
    """Share of images on which two arrays of classes [N] agree; see :func:`agreements`."""
    return float(agreements(first, second).mean())


def worst_class_agreement(classes: np.ndarray, reference: np.ndarray) -> float:
    """Smallest share of agreement over the classes of ``reference`` that occur, [N] and [N].

    The mean over all images hides a class that fails, if it is one of many.

    >>> worst_class_agreement(np.array([0, 0, 1, 2]), np.array([0, 0, 1, 1]))
    0.5

    Raises:
        InputError: A value is not finite.
    """
    check("classes", classes, reference)
    agree = np.asarray(classes) == np.asarray(reference)
    return min(float(agree[reference == label].mean()) for label in np.unique(reference))


def drops(clean: np.ndarray, masked: np.ndarray) -> np.ndarray:
    """max(0, p - o) / p of confidences, image by image.

    Raises:
        InputError: A confidence is not finite.
    """
    check("confidences", clean, masked)
    return np.maximum(0, clean - masked) / clean


def mean_drop(clean: np.ndarray, masked: np.ndarray) -> float:
    """mDC: mean of :func:`drops` over confidences [N]; 0 is best.

    >>> mean_drop(np.array([0.8, 0.5]), np.array([0.4, 0.9]))
    0.25
    """
    return float(drops(clean, masked).mean())


def increases(clean: np.ndarray, masked: np.ndarray) -> np.ndarray:
    """Whether confidence rises, o > p, image by image: 1.0 or 0.0.

    A rise of less than 1e-6 is rounding: two programs compute p and o, and open gates must score 0.

    Raises:
        InputError: A confidence is not finite.
    """
    check("confidences", clean, masked)
    return (masked > clean + _ROUNDING).astype(np.float64)


def mean_increase(clean: np.ndarray, masked: np.ndarray) -> float:
    """mIC: share of images whose confidence rises over confidences [N]; see :func:`increases`."""
    return float(increases(clean, masked).mean())
