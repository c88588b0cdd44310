"""What a generator reads: the clean pass, and the last site's contributions to the predicted class."""

from functools import partial

import jax
import numpy as np
import pytest

from jaxpath import compiling, targets
from jaxpath.gencnp import read

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


@pytest.mark.parametrize("name", ["resnet8", "vgg11_bn"])
def test_the_pass_is_the_clean_one_bit_for_bit(name):
    target, params = make(name)
    plain = compiling.jit(target.apply)(params, IMAGES)
    clean, reading = compiling.jit(partial(read, target))(params, IMAGES)
    jax.tree.map(np.testing.assert_array_equal, clean, plain)
    jax.tree.map(np.testing.assert_array_equal, reading.features, plain.features)
