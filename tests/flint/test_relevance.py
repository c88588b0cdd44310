"""Relevance, conciseness and activating samples, on numbers worked out by hand."""

import numpy as np

from jaxpath import flint

ATTRIBUTES = np.array([[1.0, 2.0, 0.0], [4.0, 0.0, 1.0], [0.0, 0.0, 0.0]], np.float32)
KERNEL = np.array([[2.0, 1.0], [-1.0, 3.0], [5.0, -2.0]], np.float32)  # [J, K]
PREDICTED = np.array([1, 0, 1])


def test_a_contribution_is_attribute_times_the_weight_of_the_predicted_class():
    result = flint.contributions(ATTRIBUTES, KERNEL, PREDICTED)
    np.testing.assert_allclose(result, [[1, 6, 0], [8, 0, 5], [0, 0, 0]])


def test_local_relevance_is_relative_to_the_largest_contribution_of_either_sign():
    result = flint.local_relevance(np.array([[1.0, -4.0, 2.0], [0.0, 0.0, 0.0]], np.float32))
    np.testing.assert_allclose(result, [[0.25, -1, 0.5], [0, 0, 0]])


def test_relevance_does_not_depend_on_the_scale_of_the_attributes_and_its_largest_is_one():
    rng = np.random.default_rng(0)
    attributes, kernel = (
        rng.normal(size=(20, 7)).astype(np.float32),
        rng.normal(size=(7, 4)).astype(np.float32),
    )
    predicted = rng.integers(0, 4, 20)
    plain = flint.local_relevance(flint.contributions(attributes, kernel, predicted))
    scaled = flint.local_relevance(flint.contributions(37.5 * attributes, kernel, predicted))
    np.testing.assert_allclose(scaled, plain, rtol=1e-5)
    np.testing.assert_allclose(np.abs(plain).max(axis=1), 1, rtol=1e-6)


def test_global_relevance_is_the_mean_over_the_images_of_a_predicted_class():
    relevance = np.array([[1.0, 0.5], [0.0, 1.0], [1.0, -0.5]], np.float32)
    result = flint.global_relevance(relevance, np.array([2, 0, 2]), num_classes=3)
    np.testing.assert_allclose(result, [[0, 1], [np.nan, np.nan], [1, 0]])


def test_conciseness_counts_what_exceeds_a_share_of_the_largest_with_or_without_its_sign():
    alpha = np.array([[4.0, 1.0, -4.0, 2.1], [-1.0, -2.0, -3.0, -4.0]], np.float32)
    assert flint.conciseness(alpha, tau=2).tolist() == [2, 0]
    assert flint.conciseness(alpha, tau=5).tolist() == [3, 0]
    assert flint.absolute_conciseness(alpha, tau=2).tolist() == [3, 2]


def test_conciseness_grows_with_tau_and_is_at_least_one_where_something_speaks_for_the_class():
    alpha = np.random.default_rng(1).normal(size=(200, 9)).astype(np.float32)
    counts = np.stack([flint.conciseness(alpha, tau=tau) for tau in flint.TAUS])
    assert (np.diff(counts, axis=0) >= 0).all()
    assert (counts[:, (alpha > 0).any(axis=1)] >= 1).all()


def test_the_most_activating_samples_are_those_of_the_true_class():
    attributes = np.array([[1, 9], [5, 2], [3, 3], [7, 1], [0, 8]], np.float32)
    labels = np.array([0, 0, 0, 2, 0])
    result = flint.maximum_activating_samples(attributes, labels, num_classes=3, top=3)
    assert result[0].tolist() == [[1, 2, 0], [0, 4, 2]]
    assert result[1].tolist() == [[-1, -1, -1]] * 2
    assert result[2].tolist() == [[3, -1, -1]] * 2


def test_dead_attributes_matter_to_no_class():
    relevance = np.array([[0.0, 0.9, -0.3, 0.05], [0.09, 0.0, 0.0, 0.0], [np.nan] * 4])
    assert flint.dead_attributes(relevance) == [0, 3]


def test_an_evaluation_counts_every_image_once():
    result = flint.Interpretations(
        indices=np.arange(3),
        labels=np.array([1, 0, 0]),
        predicted=np.array([1, 0, 1]),
        guessed=np.array([1, 0, 0]),
        among_top=np.array([True, True, False]),
        attributes=ATTRIBUTES,
    )
    scores = flint.evaluate(result, KERNEL)
    assert scores["target_accuracy"] == 2 / 3 and scores["interpreter_accuracy"] == 1
    assert scores["fidelity"] == scores["top5_fidelity"] == 2 / 3
    assert scores["flagged_share"] == 1 - 2 / 3
    # alpha = [1, 6, 0], [8, 0, 5] and nothing: one, two and no attribute above a half.
    assert scores["cns_2"] == scores["absolute_cns_2"] == 1
    assert {f"cns_{tau}" for tau in ("1.5", "2", "2.5", "3", "4", "5")} <= scores.keys()
