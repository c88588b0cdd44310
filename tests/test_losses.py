import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxpath.losses import cross_entropy, evidence_gain, kl_divergence, margin, rejection

LOGITS = np.random.default_rng(0).normal(size=(2, 5, 4)) * 3


def log_softmax(z):
    return z - np.log(np.exp(z).sum())


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_kl_divergence_agrees_with_a_sum_over_classes(temperature):
    teacher, student = LOGITS
    expected = []
    for a, b in zip(teacher, student, strict=True):
        log_p, log_q = log_softmax(a / temperature), log_softmax(b / temperature)
        expected.append(temperature**2 * sum(np.exp(log_p[k]) * (log_p[k] - log_q[k]) for k in range(4)))
    result = kl_divergence(jnp.asarray(teacher), jnp.asarray(student), temperature=temperature)
    np.testing.assert_allclose(result, expected, rtol=1e-5)


def test_kl_divergence_by_hand():
    # p = (3/4, 1/4), q = (1/2, 1/2): 3/4 ln 3/2 + 1/4 ln 1/2.
    result = kl_divergence(jnp.log(jnp.array([[3.0, 1.0]])), jnp.zeros((1, 2)))
    assert float(result[0]) == pytest.approx(0.75 * np.log(1.5) - 0.25 * np.log(2), rel=1e-5)


def test_kl_divergence_is_zero_for_equal_predictions_and_ignores_shifts():
    z = jnp.asarray(LOGITS[0])
    np.testing.assert_allclose(kl_divergence(z, z + 100), 0, atol=1e-4)


def test_the_gradient_of_the_kl_divergence_is_the_difference_of_the_probabilities():
    teacher, student = jnp.asarray(LOGITS[0]), jnp.asarray(LOGITS[1])
    result = jax.grad(lambda z: kl_divergence(teacher, z).sum())(student)
    np.testing.assert_allclose(result, jax.nn.softmax(student) - jax.nn.softmax(teacher), atol=1e-6)


def test_extreme_logits_stay_finite():
    z = jnp.array([[1e4, 0.0], [0.0, 1e4]])
    for loss in (kl_divergence(z, z[::-1]), cross_entropy(z, jnp.array([1, 0]))):
        np.testing.assert_allclose(loss, 1e4, rtol=1e-5)


def test_cross_entropy_by_hand():
    # Probability 1/4 for the label: ln 4. Smoothed by 0.2 over two classes: 0.9 ln 4 + 0.1 ln 4/3.
    logits = jnp.log(jnp.array([[3.0, 1.0]]))
    label = jnp.array([1])
    assert float(cross_entropy(logits, label)[0]) == pytest.approx(np.log(4), rel=1e-5)
    smooth = cross_entropy(logits, label, label_smoothing=0.2)
    assert float(smooth[0]) == pytest.approx(0.9 * np.log(4) + 0.1 * np.log(4 / 3), rel=1e-5)


def test_evidence_counts_only_where_the_class_gains():
    clean = jnp.log(jnp.array([[1.0, 3.0], [3.0, 1.0]]))
    masked = jnp.log(jnp.array([[1.0, 1.0], [1.0, 1.0]]))
    # Class 0 rises from 1/4 to 1/2 in the first image and falls from 3/4 to 1/2 in the second.
    result = evidence_gain(clean, masked, jnp.array([0, 0]))
    np.testing.assert_allclose(result, [np.log(2), 0], atol=1e-6)


def test_evidence_takes_each_image_at_its_own_class():
    clean, masked = LOGITS
    classes = np.array([0, 3, 1, 2, 0])
    expected = [
        max(0, log_softmax(b)[c] - log_softmax(a)[c]) for a, b, c in zip(clean, masked, classes, strict=True)
    ]
    result = evidence_gain(jnp.asarray(clean), jnp.asarray(masked), jnp.asarray(classes))
    np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-6)
    assert 0 < np.count_nonzero(result) < 5


def test_the_margin_by_hand():
    logits = jnp.array([[5.0, 2.0, 1.0], [5.0, 2.0, 1.0], [5.0, 4.5, 1.0]])
    np.testing.assert_allclose(margin(logits, jnp.array([0, 1, 1])), [3, -3, -0.5])


def test_a_rejection_is_the_surprise_that_the_class_is_any_other():
    logits = jnp.log(jnp.array([[0.5, 0.3, 0.2], [0.9, 0.05, 0.05]]))
    expected = [-np.log(0.5), -np.log(0.1)]
    np.testing.assert_allclose(rejection(logits, jnp.array([0, 0])), expected, rtol=1e-5)
    # Near certainty it is as large as the margin, and neither it nor its gradient overflows.
    sure = jnp.array([[100.0, 0.0, 0.0]])
    assert float(rejection(sure, jnp.array([0]))[0]) == pytest.approx(100 - np.log(2), rel=1e-6)
    gradient = jax.grad(lambda z: rejection(z, jnp.array([0])).sum())(sure)
    np.testing.assert_allclose(gradient, [[1.0, -0.5, -0.5]], atol=1e-6)
