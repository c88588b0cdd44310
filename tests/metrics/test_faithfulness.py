import jax.numpy as jnp
import numpy as np
import pytest
from tiny_target import softmax

from jaxpath.metrics import agreement, confidences, mean_drop, mean_increase


def test_confidences_are_those_of_the_clean_prediction():
    clean, masked = np.random.default_rng(0).normal(size=(2, 6, 4)) * 2
    result = confidences(jnp.asarray(clean), jnp.asarray(masked))
    for i in range(6):
        c = clean[i].argmax()
        assert result["predicted"][i] == c
        assert result["masked_predicted"][i] == masked[i].argmax()
        assert float(result["clean_confidence"][i]) == pytest.approx(softmax(clean[i])[c], rel=1e-5)
        assert float(result["masked_confidence"][i]) == pytest.approx(softmax(masked[i])[c], rel=1e-5)


def test_agreement_is_a_share():
    assert agreement(np.array([1, 2, 3, 0]), np.array([1, 2, 0, 0])) == 0.75


def test_drop_counts_losses_only_and_increase_gains_only():
    clean, masked = np.array([0.5, 0.8, 0.4, 0.4]), np.array([0.25, 0.2, 0.8, 0.4])
    # Relative drops 1/2, 3/4, 0 and 0; one of four rises.
    assert mean_drop(clean, masked) == pytest.approx(0.3125)
    assert mean_increase(clean, masked) == 0.25


def test_a_rise_within_the_rounding_of_float32_is_none():
    clean = np.array([0.9, 0.9], np.float32)
    masked = np.array([np.nextafter(np.float32(0.9), np.float32(1)), 0.90001], np.float32)
    assert mean_increase(clean, masked) == 0.5


def test_an_unchanged_prediction_neither_drops_nor_rises():
    p = np.array([0.3, 0.9])
    assert (mean_drop(p, p), mean_increase(p, p)) == (0, 0)
