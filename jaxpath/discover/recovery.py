"""How well units whose meaning is known are named: the outputs of a classifier, say."""

import numpy as np
from jax import Array
from scipy.stats import rankdata

from jaxpath.discover.embeddings import make_cosines
from jaxpath.types import InputError


def name_recovery(S: Array | np.ndarray, truth: np.ndarray) -> dict[str, float]:
    """Ranks of the true concepts (official metrics of CLIP-Dissect).

    Args:
        S: Scores [K, M].
        truth: int [K], the true concept of each unit.

    Returns:
        ``top1`` and ``top5``, shares of the units; ``mean_rank`` and ``median_rank`` of the true concept,
        from 1; ``auc``, of a unit's best score as a sign that it is named rightly, NaN if all or none are.

    Raises:
        InputError: The shapes do not match, or a concept is none of M.
    """
    scores, truth = np.asarray(S, np.float64), np.asarray(truth)
    fits = scores.ndim == 2 and truth.shape == scores.shape[:1]
    if not fits or truth.min() < 0 or truth.max() >= scores.shape[1]:
        raise InputError(
            f"scores of shape {scores.shape} and true concepts of shape {truth.shape} were given; expected "
            "[K, M] and [K] with numbers below M"
        )
    own = np.take_along_axis(scores, truth[:, None], axis=1)
    places = 1 + (scores > own).sum(axis=1)
    right = scores.argmax(axis=1) == truth
    return {
        "top1": float(right.mean()),
        "top5": float((places <= 5).mean()),
        "mean_rank": float(places.mean()),
        "median_rank": float(np.median(places)),
        "auc": _auc(scores.max(axis=1), right),
    }


def paired_cosine(predicted_embeddings: Array | np.ndarray, true_embeddings: Array | np.ndarray) -> float:
    """Mean cosine of each unit's predicted name with its true one, both [K, D], in any space of texts.

    Pairs are matched, as in CLIP-Dissect; DISCOVER's code averages over all pairs of units, which is another
    figure.
    """
    predicted, true = make_cosines(predicted_embeddings, true_embeddings)
    return float((predicted * true).sum(axis=1).mean())


def _auc(scores: np.ndarray, right: np.ndarray) -> float:
    """Probability that a right one scores higher than a wrong one; ties count half."""
    positives, negatives = int(right.sum()), int((~right).sum())
    if not positives or not negatives:
        return float("nan")
    ranks = rankdata(scores)
    return float((ranks[right].sum() - positives * (positives + 1) / 2) / (positives * negatives))
