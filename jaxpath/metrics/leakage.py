"""On whose image a pathway is put: one of another class, which it must not turn, or one of its own."""

import numpy as np

from jaxpath.types import InputError


def foreign_partners(classes: np.ndarray, *, seed: int) -> np.ndarray:
    """For every image, another image of a different class, drawn uniformly: [N_images] indices.

    Args:
        classes: [N_images] int, the predicted class of each.
        seed: Of the draw.

    Raises:
        InputError: All images have the same class.
    """
    classes = np.asarray(classes)
    if len(np.unique(classes)) < 2:
        raise InputError(
            f"all {len(classes)} images are predicted as one class, {np.unique(classes).tolist()}; leakage "
            "needs images of at least two classes"
        )
    # Sorted by class, the images of other classes are everything outside one block: one draw each.
    order = np.argsort(classes, kind="stable")
    ordered = classes[order]
    first = np.searchsorted(ordered, classes, side="left")
    size = np.searchsorted(ordered, classes, side="right") - first
    draw = np.random.default_rng(seed).integers(0, len(classes) - size)
    return order[np.where(draw >= first, draw + size, draw)]


def kin_partners(classes: np.ndarray, *, seed: int) -> np.ndarray:
    """For every image, another image of its class, drawn uniformly: [N_images] indices.

    An image that is the only one of its class is its own partner.

    Args:
        classes: [N_images] int, the predicted class of each.
        seed: Of the draw.
    """
    classes = np.asarray(classes)
    order = np.argsort(classes, kind="stable")
    ordered = classes[order]
    first = np.searchsorted(ordered, ordered, side="left")
    size = np.searchsorted(ordered, ordered, side="right") - first
    rank = np.arange(len(order)) - first
    step = np.random.default_rng(seed).integers(1, np.maximum(size, 2))
    partners = np.empty_like(order)
    partners[order] = order[first + (rank + step) % size]
    return partners
