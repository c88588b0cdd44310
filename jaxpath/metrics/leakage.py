"""Does the mask itself carry the label? Put each pathway on an image of another class and see."""

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
