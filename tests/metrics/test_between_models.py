"""Comparisons of two classifiers: values by hand, and NumPy and SciPy image by image."""

import itertools

import jax
import numpy as np
import pytest
from scipy import stats

from jaxpath.metrics import between_models, density_over_depth, matrix_correlation, saliency_agreement
from jaxpath.types import InputError, Site


def symmetric(upper, diagonal=np.nan):
    """The matrix whose entries above the diagonal are ``upper``, row after row."""
    size = round((1 + np.sqrt(1 + 8 * len(upper))) / 2)
    matrix = np.full((size, size), diagonal)
    rows, columns = np.triu_indices(size, 1)
    matrix[rows, columns] = matrix[columns, rows] = upper
    return matrix


def random_matrix(size, seed):
    return symmetric(np.random.default_rng(seed).random(size * (size - 1) // 2))


def test_a_correlation_by_hand_counts_each_pair_of_classes_once():
    # Centred: (-1, 0, 1) and (-2, -1, 3); their product is 5, their squares 2 and 14.
    correlation = matrix_correlation(symmetric([1.0, 2, 3]), symmetric([0.0, 1, 5]))
    assert correlation.pearson == pytest.approx(5 / np.sqrt(28))
    assert correlation.spearman == pytest.approx(1)
    assert correlation.num_pairs == 3
    # Three classes have six relabellings, and each gives another order of three pairs: one is as good.
    assert (correlation.pearson_p, correlation.spearman_p) == (pytest.approx(1 / 6), pytest.approx(1 / 6))


def test_of_few_classes_every_relabelling_is_counted():
    first, second = random_matrix(5, 0), random_matrix(5, 1)
    pairs = np.triu_indices(5, 1)

    def correlations(order):
        x, y = first[pairs], second[np.ix_(order, order)][pairs]
        return stats.pearsonr(x, y).statistic, stats.spearmanr(x, y).statistic

    table = np.array([correlations(list(order)) for order in itertools.permutations(range(5))])
    correlation = matrix_correlation(first, second)
    assert (correlation.pearson, correlation.spearman) == pytest.approx(tuple(table[0]))
    shares = (table >= table[0] - 1e-12).mean(axis=0)
    assert (correlation.pearson_p, correlation.spearman_p) == pytest.approx(tuple(shares))
    assert shares.min() > 0 and shares.max() < 1


def test_the_diagonal_and_absent_classes_have_no_say():
    first, second = random_matrix(5, 0), random_matrix(5, 1)
    expected = matrix_correlation(first, second)
    first = np.insert(np.insert(first, 2, np.nan, axis=0), 2, np.nan, axis=1)
    second = np.insert(np.insert(second, 2, 0.5, axis=0), 2, 0.5, axis=1)
    np.fill_diagonal(first, 7)
    np.fill_diagonal(second, [0, 1, 2, 3, 4, 5])
    first[2, 2] = np.nan
    assert matrix_correlation(first, second) == expected
    assert expected.num_pairs == 10


def test_relabellings_follow_the_seed_and_do_not_confuse_the_like_with_the_unlike():
    first = random_matrix(9, 0)
    alike, unlike = first + 0.1 * random_matrix(9, 1), random_matrix(9, 2)
    assert matrix_correlation(first, alike, num_permutations=199).pearson_p == pytest.approx(1 / 200)
    correlation = [matrix_correlation(first, unlike, seed=seed, num_permutations=199) for seed in (0, 0, 1)]
    assert correlation[0] == correlation[1] and correlation[0].pearson_p != correlation[2].pearson_p
    assert correlation[0].pearson_p > 0.05
    # An opposite order is no likeness.
    assert matrix_correlation(first, -first, num_permutations=199).spearman_p > 0.9


@pytest.mark.parametrize(
    ("first", "second"),
    [
        (symmetric([1.0]), symmetric([2.0])),
        (symmetric([1.0, 1, 1]), symmetric([0.0, 1, 2])),
        (np.full((4, 4), np.nan), random_matrix(4, 0)),
    ],
    ids=["two classes", "one value", "no class in common"],
)
def test_what_has_no_correlation_is_not_a_number(first, second):
    assert np.isnan(matrix_correlation(first, second)[:4]).all()


def test_matrices_of_different_classes_are_refused():
    with pytest.raises(InputError, match=r"\[3, 3\] and \[4, 4\]"):
        matrix_correlation(random_matrix(3, 0), random_matrix(4, 0))


SITES = (Site("000.a", 2, (2, 2)), Site("001.b", 4, (2, 2)), Site("002.c", 1, None))


def test_the_density_between_two_sites_lies_between_theirs():
    masks = np.array([[1, 0, 1, 1, 1, 1, 0], [0, 0, 1, 0, 0, 0, 1]], bool)
    correlation = density_over_depth(masks, SITES, num_points=5)
    np.testing.assert_allclose(correlation, [[0.5, 0.75, 1, 0.5, 0], [0, 0.125, 0.25, 0.625, 1]])


def test_a_single_site_has_its_density_at_every_depth():
    correlation = density_over_depth(np.array([[True, False]]), SITES[:1], num_points=3)
    np.testing.assert_allclose(correlation, [[0.5, 0.5, 0.5]])


@pytest.mark.parametrize("block", [256, 3])
def test_saliency_is_compared_image_by_image_and_by_magnitude(block, monkeypatch):
    monkeypatch.setattr(between_models, "_BLOCK", block)
    rng = np.random.default_rng(0)
    first = rng.normal(size=(7, 4, 5)).astype(np.float32)
    second = first + rng.normal(size=(7, 4, 5)).astype(np.float32)
    correlation = saliency_agreement(first, -second)
    expected = np.array(
        [[stats.spearmanr(np.abs(a).ravel(), np.abs(b).ravel()).statistic for b in second] for a in first]
    )
    np.testing.assert_allclose(correlation.matched, np.diag(expected), atol=1e-5)
    partners = [
        np.argmin(np.abs(row - value)) for row, value in zip(expected, correlation.mismatched, strict=True)
    ]
    np.testing.assert_allclose(correlation.mismatched, expected[np.arange(7), partners], atol=1e-5)
    # Every other image is used once, and none is its own partner.
    assert sorted(partners) == list(range(7)) and all(partners != np.arange(7))


@pytest.fixture
def optimizations():
    """Programs as users compile them: other tests turn the optimisations off."""
    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", False)
    yield
    jax.config.update("jax_disable_most_optimizations", before)


@pytest.mark.parametrize("side", [2, 7, 28])
def test_an_image_without_saliency_has_no_agreement(side, optimizations):
    # 784 times the compiler's reciprocal of 1568 is not a half.
    maps = np.random.default_rng(0).normal(size=(3, side, side)).astype(np.float32)
    blank = np.where(np.arange(3)[:, None, None] == 1, 0, maps)
    np.testing.assert_array_equal(np.isnan(saliency_agreement(maps, blank).matched), [False, True, False])


@pytest.mark.parametrize("shape", [(3, 4, 4), (1, 2, 2)])
def test_maps_of_another_size_or_of_one_image_are_refused(shape):
    with pytest.raises(InputError, match="at least two images"):
        saliency_agreement(np.zeros((1, 2, 2)), np.zeros(shape))
