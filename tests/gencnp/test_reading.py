"""What a generator reads: the clean pass, and the last site's contributions to the predicted class."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxpath import compiling, targets
from jaxpath.gating import fill_closed
from jaxpath.gencnp import read
from jaxpath.pathways import flatten

IMAGES = np.random.default_rng(0).integers(0, 256, (3, 16, 16, 3), dtype=np.uint8)


def make(name):
    target = targets.make_target(name, num_classes=5, image_size=16)
    return target, target.init(jax.random.key(0))


def test_evidence_is_the_channels_mean_times_its_weight_in_the_predicted_class():
    target, params = make("resnet8")
    clean, reading = jax.jit(partial(read, target))(params, IMAGES)
    kernel = np.asarray(params["params"]["linear"]["kernel"])
    activity = np.asarray(clean.features[target.sites[-1].name]).mean(axis=(1, 2))
    predicted = np.asarray(clean.logits).argmax(axis=1)
    np.testing.assert_allclose(reading.evidence, activity * kernel[:, predicted].T, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("fill", [0.0, 0.7])
def test_slopes_are_the_gradients_of_the_margin_by_gates_that_close_to_any_value(fill):
    target, params = make("resnet8")
    clean, reading = jax.jit(partial(read, target, slopes=True))(params, IMAGES)
    classes = np.asarray(clean.logits).argmax(axis=1)
    fills = {site.name: np.full(site.channels, fill, np.float32) for site in target.sites}

    def margin(masks):
        logits = target.apply(params, IMAGES, fill_closed(masks, fills)).logits
        probability = jax.nn.softmax(logits)[np.arange(3), classes]
        return jnp.log(probability / (1 - probability)).sum()

    ones = {site.name: np.ones((3, site.channels), np.float32) for site in target.sites}
    expected = flatten(jax.jit(jax.grad(margin))(ones), target.sites)
    result = reading.slopes.product - fill * reading.slopes.gradient
    np.testing.assert_allclose(result, expected, rtol=1e-3, atol=1e-4)


def test_slopes_change_neither_features_nor_evidence():
    target, params = make("resnet8")
    plain = jax.jit(partial(read, target))(params, IMAGES)[1]
    more = jax.jit(partial(read, target, slopes=True))(params, IMAGES)[1]
    assert plain.slopes is None
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-6), more._replace(slopes=None), plain)


@pytest.mark.parametrize("slopes", [False, True])
@pytest.mark.parametrize("name", ["resnet8", "vgg11_bn"])
def test_the_pass_is_the_clean_one_bit_for_bit(name, slopes):
    target, params = make(name)
    plain = compiling.jit(target.apply)(params, IMAGES)
    clean, reading = compiling.jit(partial(read, target, slopes=slopes))(params, IMAGES)
    jax.tree.map(np.testing.assert_array_equal, clean, plain)
    jax.tree.map(np.testing.assert_array_equal, reading.features, plain.features)
