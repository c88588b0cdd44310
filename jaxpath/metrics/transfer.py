"""Class pathways, learned from some images of a class and transferred to others."""

from collections.abc import Sequence

import numpy as np

from jaxpath.metrics.faithfulness import agreement, mean_drop, mean_increase
from jaxpath.metrics.records import Records
from jaxpath.metrics.session import Passes, Session
from jaxpath.metrics.under_masks import masked_predictions

THRESHOLDS = (0.5, 0.7, 0.9, 1.0)


def source_frequencies(
    source: Records, num_classes: int, *, images_per_class: int | None = None
) -> np.ndarray:
    """Share of each class's source images whose pathway keeps each neuron.

    Args:
        source: Explained images, grouped by their predicted class.
        num_classes: K.
        images_per_class: j, how many of each class are used, the first ones; None: all.

    Returns:
        [K, N]; NaN for a class of which there is no image.
    """
    frequencies = np.full((num_classes, source.masks.shape[1]), np.nan)
    for label in range(num_classes):
        rows = np.flatnonzero(source.predicted == label)[:images_per_class]
        if rows.size:
            frequencies[label] = source.masks[rows].mean(axis=0)
    return frequencies


def following_classes(known: np.ndarray) -> np.ndarray:
    """For each class the next one that has a pathway, after the last the first; int [K].

    Args:
        known: bool [K], the classes that have one. Each of the others is its own next.

    >>> following_classes(np.array([True, False, True, True])).tolist()
    [2, 1, 3, 0]
    """
    classes = np.flatnonzero(known)
    following = np.arange(len(known))
    following[classes] = np.roll(classes, -1)
    return following


def transfer_tables(
    pathways: np.ndarray, random: np.ndarray, known: np.ndarray, predicted: np.ndarray
) -> dict[str, tuple[np.ndarray, np.ndarray]]:
    """What each image is put under: its class's pathway, a random one as large, and the next class's.

    Args:
        pathways: bool [K, N], one of each class.
        random: bool [K, N], a random one for each class, as large.
        known: bool [K], the classes that have one.
        predicted: int [N_images], the class of each image.

    Returns:
        ``class``, ``random`` and ``other`` -> a table of masks [K, N], and the row of each image [N_images].
    """
    return {
        "class": (pathways, predicted),
        "random": (random, predicted),
        "other": (pathways, following_classes(known)[predicted]),
    }


def transfer(
    session: Session,
    frequencies: np.ndarray,
    held_out: Records,
    passes: Passes,
    *,
    seed: int = 0,
    thresholds: Sequence[float] = THRESHOLDS,
) -> list[dict[str, float]]:
    """Scores class pathways on held-out images, beside a random mask and another class's pathway.

    Args:
        session: The classifier.
        frequencies: From :func:`source_frequencies`, [K, N].
        held_out: The explained held-out images. Those of classes without a source are left out.
        passes: The held-out images.
        seed: Of the random masks.
        thresholds: A neuron belongs to the class pathway if at least this share keeps it.

    Returns:
        One row per threshold: ``threshold, density``, and for the pathways ``class_``, ``random_``
        (same density as the class's) and ``other_`` (the next class's): ``fidelity``, ``accuracy``,
        ``mdc`` and ``mic``; no accuracy if an image has no label. Empty if fewer than two classes have a
        source.
    """
    known = np.isfinite(frequencies).all(axis=1)
    scored = known[held_out.predicted]
    if known.sum() < 2 or not scored.any():
        return []
    rng = np.random.default_rng(seed)
    rows = []
    for threshold in thresholds:
        pathways = np.where(known[:, None], frequencies >= threshold, False)
        row = {"threshold": float(threshold), "density": float(pathways[held_out.predicted[scored]].mean())}
        order = rng.random(pathways.shape).argsort(axis=1)
        random = order < pathways.sum(axis=1, keepdims=True)
        tables = transfer_tables(pathways, random, known, held_out.predicted)
        for name, (table, which) in tables.items():
            # A random pathway stands for the class as well.
            owners = which if name == "other" else held_out.predicted
            outcome = masked_predictions(session, held_out, passes, table=table, rows=which, owners=owners)
            clean, masked = held_out.clean_confidence[scored], outcome["masked_confidence"][scored]
            masked_predicted = outcome["masked_predicted"][scored]
            row[f"{name}_fidelity"] = agreement(masked_predicted, held_out.predicted[scored])
            if held_out.are_labelled:
                row[f"{name}_accuracy"] = agreement(masked_predicted, held_out.labels[scored])
            row[f"{name}_mdc"] = mean_drop(clean, masked)
            row[f"{name}_mic"] = mean_increase(clean, masked)
        rows.append(row)
    return rows
