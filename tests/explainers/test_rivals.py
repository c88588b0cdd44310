"""Channels for one class rather than another: the difference of two logits."""

import jax
import numpy as np
import pytest
from tiny_target import NUM_CLASSES, tiny_params, tiny_target

from jaxpath import explainers
from jaxpath.losses import of_two
from jaxpath.pathways import flatten
from jaxpath.types import InputError

TARGET = tiny_target()
IMAGES = np.random.default_rng(0).random((5, 4, 4, 3)).astype(np.float32)
LABELS = np.array([0, 1, 0, 1, 0])


def scores(explain, labels=LABELS):
    pathway = jax.jit(explain)(tiny_params(), IMAGES, labels, key=jax.random.key(0))
    return np.asarray(flatten(pathway.scores, TARGET.sites))


def rival(name, against=2, **options):
    return explainers.make_rival(
        TARGET,
        lambda target: explainers.make_explainer(name, target, density=0.5, **options),
        against=against,
    )


def test_the_score_of_a_difference_is_the_difference_of_the_scores():
    """A gradient is linear, and so is its product with the activation."""
    plain = explainers.make_taylor_signed(TARGET, density=0.5)
    expected = scores(plain) - scores(plain, np.full(5, 2))
    np.testing.assert_allclose(scores(rival("taylor_signed")), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", [name for name, entry in explainers.BASELINES.items() if entry.asks])
def test_every_explainer_that_has_a_logit_answers_otherwise_for_another_rival(name):
    options = {"steps": 6} if name == "contrastive" else {}
    first, second = (
        scores(rival(name, **options)),
        scores(rival(name, against=1, **options), np.zeros(5, int)),
    )
    assert np.isfinite(first).all()
    assert not np.allclose(first[LABELS == 0], second[LABELS == 0])


def test_the_logits_of_two_classes_are_their_difference_and_no_other_class_counts():
    logits = np.array([[1.0, -2.0, 4.0], [0.5, 3.0, 1.0]], np.float32)
    two = np.asarray(of_two(logits, np.array([0, 1]), np.array([2, 2])))
    assert two[0, 0] == -3 and two[0, 2] == 0 and two[1, 1] == 2 and two[1, 2] == 0
    np.testing.assert_allclose(jax.nn.softmax(two)[0, 0], 1 / (1 + np.exp(3.0)), rtol=1e-5)
    assert jax.nn.softmax(two)[0, 1] == 0 and np.isfinite(two).all()


def test_a_rival_that_is_no_class_is_refused():
    with pytest.raises(InputError, match=f"0 to {NUM_CLASSES - 1}"):
        rival("taylor", against=NUM_CLASSES)
