"""Do class pathways that were learned on some images carry others of their class, and of another class?"""

from typing import Any

import numpy as np

from jaxpath.metrics.faithfulness import agreement
from jaxpath.metrics.records import Records
from jaxpath.metrics.session import Passes, Session
from jaxpath.metrics.under_masks import masked_predictions

MAJORITY = 0.5
"""A neuron belongs to a class's pathway if at least this share of the class's source images keeps it."""


def class_transfer(
    session: Session,
    frequencies: np.ndarray,
    held_out: Records,
    passes: Passes,
    *,
    classes: np.ndarray | None = None,
    seed: int = 0,
) -> dict[str, Any]:
    """Puts class pathways on held-out images of their class, and on those of another class.

    An image's class is the one that the classifier predicts. For the other class, one is drawn for each image
    among the rest, so that the figure is the mean over pairs of classes up to chance.

    Args:
        session: The classifier.
        frequencies: From :func:`~jaxpath.metrics.source_frequencies`, [K, N].
        held_out: The explained held-out images.
        passes: The held-out images.
        classes: bool [K], those that count; None: all. A classifier of 1000 classes has a few images of any
            of them in data of 20, and no class pathway is learned from these.
        seed: Of the other classes.

    Returns:
        ``transfer_fidelity``, share of the images that keep their class under its pathway;
        ``transfer_fidelity_other_class``, share that keep it under the other class's; ``transfer_density``,
        mean density of the pathways of the images' own classes; ``transfer_images``, how many images count.
        The first three are NaN if fewer than two classes count, or no image.
    """
    counted = np.isfinite(frequencies).all(axis=1) & (True if classes is None else classes)
    scored = counted[held_out.predicted]
    nothing = dict.fromkeys(
        ("transfer_fidelity", "transfer_fidelity_other_class", "transfer_density"), np.nan
    )
    if counted.sum() < 2 or not scored.any():
        return {**nothing, "transfer_images": 0}
    pathways = np.where(counted[:, None], frequencies >= MAJORITY, False)

    def fidelity(rows: np.ndarray) -> float:
        outcome = masked_predictions(session, held_out, passes, table=pathways, rows=rows, owners=rows)
        return agreement(outcome["masked_predicted"][scored], held_out.predicted[scored])

    return {
        "transfer_fidelity": fidelity(held_out.predicted),
        "transfer_fidelity_other_class": fidelity(draw_other_classes(counted, held_out.predicted, seed)),
        "transfer_density": float(pathways[held_out.predicted[scored]].mean()),
        "transfer_images": int(scored.sum()),
    }


def draw_other_classes(counted: np.ndarray, predicted: np.ndarray, seed: int) -> np.ndarray:
    """For each image another class than its own, drawn evenly among those that count.

    Args:
        counted: bool [K], at least two.
        predicted: int [N_images].
        seed: Of the draw.

    Returns:
        int [N_images]; an image's own class where that does not count.

    >>> draw_other_classes(np.array([True, False, True]), np.array([0, 2, 1]), seed=0).tolist()
    [2, 0, 1]
    """
    classes = np.flatnonzero(counted)
    place = np.searchsorted(classes, predicted)
    steps = np.random.default_rng(seed).integers(1, len(classes), len(predicted))
    return np.where(counted[predicted], classes[(place + steps) % len(classes)], predicted)
