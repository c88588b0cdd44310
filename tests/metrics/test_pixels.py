"""Insertion, deletion and AOPC of pixels on a classifier that can be worked out, and randomised weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from tiny_target import tiny_images, tiny_params, tiny_target

from jaxpath import metrics
from jaxpath.types import InputError

MAPS = jnp.array([[[3.0, 1.0], [2.0, 0.0]]])
PIXELS = jnp.array([[[[4.0], [1.0]], [[2.0], [0.0]]]])


def by_brightness(images):
    """Logits (sum of the pixels, 0): the probability of class 0 is the logistic of the sum."""
    total = images.sum(axis=(1, 2, 3))
    return jnp.stack([total, 0 * total], axis=1)


def logistic(*values):
    return 1 / (1 + np.exp(-np.array(values, np.float64)))


def curves(maps=MAPS, **options):
    options = {"baseline": 0.0, "fractions": (0.0, 0.25, 0.5, 0.75, 1.0), **options}
    return metrics.pixel_insertion_deletion(by_brightness, PIXELS, maps, jnp.zeros(1, jnp.int32), **options)


def test_pixels_are_shown_and_hidden_in_the_order_of_the_map():
    result = curves()
    np.testing.assert_allclose(result.insertion[0], logistic(0, 4, 6, 7, 7), rtol=1e-5)
    np.testing.assert_allclose(result.deletion[0], logistic(7, 3, 1, 0, 0), rtol=1e-5)
    darker = curves(baseline=jnp.full(PIXELS.shape, -1.0))
    np.testing.assert_allclose(darker.insertion[0], logistic(-4, 1, 4, 6, 7), rtol=1e-5)


def test_aopc_is_the_mean_drop_from_either_end():
    result = metrics.aopc(curves())
    most = logistic(7) - logistic(7, 3, 1, 0, 0).mean()
    least = logistic(7) - logistic(7, 7, 6, 4, 0).mean()
    np.testing.assert_allclose(result.most_relevant_first, most, rtol=1e-4)
    np.testing.assert_allclose(result.least_relevant_first, least, rtol=1e-4)


def test_the_class_is_kept_by_the_pixels_that_carry_it():
    pixels = jnp.array([[[[4.0], [-1.0]], [[2.0], [-9.0]]]])
    kept = {
        share: metrics.keeps_class(
            by_brightness, pixels, MAPS, jnp.zeros(1, jnp.int32), share=share, baseline=0.0
        ).item()
        for share in (0.25, 0.75, 1.0)
    }
    assert kept == {0.25: 1, 0.75: 1, 1.0: 0}


def test_a_blurred_image_keeps_a_constant_and_spreads_a_point():
    np.testing.assert_allclose(metrics.blurred(jnp.full((1, 4, 5, 2), 3.0)), 3.0, rtol=1e-6)
    point = np.zeros((1, 7, 7, 1), np.float32)
    point[0, 3, 3] = 1
    spread = np.asarray(metrics.blurred(point, sigma=1.0))[0, :, :, 0]
    np.testing.assert_allclose(spread, spread.T, rtol=1e-6)
    assert spread[3, 3] == spread.max() < 0.2


def test_maps_that_follow_the_weights_are_lost_with_them_and_maps_of_the_image_stay():
    target, params = tiny_target(), tiny_params()
    images, labels = (jnp.asarray(values) for values in tiny_images(3))

    def gradient(params, images, labels, *, key):
        del key

        def score(x):
            return jnp.take_along_axis(target.apply(params, x).logits, labels[:, None], axis=1).sum()

        return jnp.abs(jax.grad(score)(images)).sum(axis=-1)

    def edges(params, images, labels, *, key):
        return images.sum(axis=-1)

    rows = {
        make.__name__: metrics.randomized_maps(target, params, make, images, labels, key=jax.random.key(0))
        for make in (gradient, edges)
    }
    assert [row.stage for row in rows["edges"]] == ["logits", "002.dense", "001.second", "000.first"]
    np.testing.assert_allclose([row.spearman for row in rows["edges"]], 1, rtol=1e-5)
    assert rows["gradient"][-1].share == 1
    assert np.nanmean(rows["gradient"][-1].spearman) < 0.9


def test_maps_of_another_size_are_refused():
    with pytest.raises(InputError, match="enlarge"):
        curves(maps=MAPS[:, :1])
