"""How the pathways of two classifiers compare, although they have no neuron in common.

What can be compared is what the neurons are not part of: which classes share pathways, how deep a pathway
lies, and which pixels reach the decision through it.
"""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxpath.finite import check
from jaxpath.metrics import sanity
from jaxpath.pathways import unflatten
from jaxpath.types import InputError, Site

_BLOCK = 256
"""Images whose maps are ranked at once: memory stays bounded for any number of images."""


class MatrixCorrelation(NamedTuple):
    """Likeness of two symmetric matrices off their diagonals.

    Attributes:
        pearson: Correlation of the entries.
        pearson_p: How often relabelled classes correlate as strongly by chance.
        spearman: Correlation of the entries' ranks.
        spearman_p: The same for it.
        num_pairs: Pairs of classes that it rests on.
    """

    pearson: float
    pearson_p: float
    spearman: float
    spearman_p: float
    num_pairs: int


def matrix_correlation(
    first: np.ndarray, second: np.ndarray, *, seed: int = 0, num_permutations: int = 9999
) -> MatrixCorrelation:
    """Do two classifiers find the same classes alike?

    The entries of a matrix of similarities are not independent, because each class is in K - 1 of them. So
    the p-values are Mantel's (1967): the classes of ``second`` are relabelled, rows and columns together.
    One-sided, as only likeness is asked for; all K! relabellings are used if they are no more than
    ``num_permutations``.

    Args:
        first: [K, K], symmetric, such as :attr:`ClassSimilarity.matrix`. The diagonal is not looked at,
            and a class whose other entries are all NaN, in either matrix, is left out.
        second: [K, K], the same classes in the same order.
        seed: Of the relabellings.
        num_permutations: How many relabellings are drawn.

    Returns:
        NaN in place of the correlations and p-values if fewer than three classes are left, or all entries
        of a matrix are equal.

    Raises:
        InputError: The matrices are not square and of one size, or an entry of two classes that are not left
            out is not finite.
    """
    if first.shape != second.shape or first.shape != first.shape[:1] * 2:
        raise InputError(
            f"matrices of shapes {list(first.shape)} and {list(second.shape)} were to be correlated; "
            "expected two of [K, K], with one row and one column for each class"
        )
    apart = ~np.eye(len(first), dtype=bool)
    known = np.flatnonzero((np.isfinite(first) & np.isfinite(second) & apart).any(axis=1))
    rows, columns = np.triu_indices(len(known), 1)
    x, y = (matrix[known[rows], known[columns]] for matrix in (first, second))
    check("overlaps of two classes", x, y)
    nan = float("nan")
    if len(known) < 3 or np.ptp(x) == 0 or np.ptp(y) == 0:
        return MatrixCorrelation(nan, nan, nan, nan, len(rows))
    # It takes two seconds to import, and `import jaxpath` comes by here.
    from scipy.stats import rankdata

    pearson, pearson_p = _mantel(x, y, rows, columns, seed=seed, num_permutations=num_permutations)
    spearman, spearman_p = _mantel(
        rankdata(x), rankdata(y), rows, columns, seed=seed, num_permutations=num_permutations
    )
    return MatrixCorrelation(pearson, pearson_p, spearman, spearman_p, len(rows))


def _mantel(
    x: np.ndarray, y: np.ndarray, rows: np.ndarray, columns: np.ndarray, *, seed: int, num_permutations: int
) -> tuple[float, float]:
    """Pearson's correlation of the entries ``x`` and ``y`` at ``rows`` and ``columns``, and its p-value."""
    from scipy.stats import permutation_test

    x, y = ((values - values.mean()) / np.linalg.norm(values - values.mean()) for values in (x, y))
    num_classes = columns.max() + 1
    square = np.zeros((num_classes, num_classes))
    square[rows, columns] = square[columns, rows] = y
    test = permutation_test(
        (np.arange(num_classes),),
        lambda order: x @ square[order[rows], order[columns]],
        permutation_type="pairings",
        alternative="greater",
        n_resamples=num_permutations,
        vectorized=False,
        rng=np.random.default_rng(seed),
    )
    return float(test.statistic), float(test.pvalue)


def density_over_depth(masks: np.ndarray, sites: Sequence[Site], *, num_points: int = 21) -> np.ndarray:
    """Share of open channels over relative depth, which networks of different depth have in common.

    The first site lies at 0 and the last at 1, all equally far apart; between them it is interpolated. A
    target with one site has one density everywhere. Our choice.

    Args:
        masks: [N_images, N], 0/1, channels in forward order.
        sites: The target's sites.
        num_points: P, how many equally spaced depths from 0 to 1 are returned.

    Returns:
        [N_images, P].

    Raises:
        InputError: A mask is not finite.
    """
    check("gates", masks)
    shares = np.stack([mask.mean(axis=1) for mask in unflatten(masks, sites).values()], axis=1)
    places = np.linspace(0, 1, len(sites)) if len(sites) > 1 else np.zeros(1)
    points = np.linspace(0, 1, num_points)
    # Interpolation is linear in the values: what it does to each site alone is all of it.
    return shares @ np.stack([np.interp(points, places, site) for site in np.eye(len(sites))])


class SaliencyAgreement(NamedTuple):
    """Rank correlations of two classifiers' absolute saliency maps; NaN where a map is constant.

    Attributes:
        matched: [N_images], both maps of the same image.
        mismatched: [N_images], each image's first map with another image's second map: what is alike for
            any image, such as a dark margin that nothing looks at.
    """

    matched: np.ndarray
    mismatched: np.ndarray


def saliency_agreement(first: np.ndarray, second: np.ndarray, *, seed: int = 0) -> SaliencyAgreement:
    """Do two classifiers look at the same pixels?

    Args:
        first: [N_images, H, W], maps of the first classifier; only their absolute values count.
        second: [N_images, H, W], maps of the second one for the same images.
        seed: Of the choice of other images: all images in a random circle, each with its neighbour.

    Raises:
        InputError: The maps differ in their number or size, there are fewer than two images, or a value is
            not finite.
    """
    if first.shape != second.shape or len(first) < 2:
        raise InputError(
            f"saliency maps of shapes {list(first.shape)} and {list(second.shape)} were to be compared; "
            "expected the same [N_images, H, W] of at least two images"
        )
    check("values of the saliency maps", first, second)
    circle = np.random.default_rng(seed).permutation(len(first))
    partner = np.empty_like(circle)
    partner[circle] = np.roll(circle, 1)
    return SaliencyAgreement(
        matched=_rank_correlations(first, second), mismatched=_rank_correlations(first, second[partner])
    )


def _rank_correlations(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Spearman's correlation of absolute values, image by image: [N_images, H, W] twice -> [N_images]."""
    correlate = jax.jit(sanity.spearman)
    parts = []
    for start in range(0, len(first), _BLOCK):
        a, b = (jnp.abs(maps[start : start + _BLOCK]) for maps in (first, second))
        parts.append(np.asarray(correlate(a.reshape(len(a), -1), b.reshape(len(b), -1))))
    return np.concatenate(parts)
