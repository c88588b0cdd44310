"""The parts of a VGG that a ResNet has not: the adaptive pool, images below 32 pixels, dropout."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxpath import targets
from jaxpath.targets.vgg import adaptive_average_pool


@pytest.mark.parametrize(("height", "width"), [(9, 7), (3, 2), (14, 15), (7, 7)])
def test_adaptive_pool_averages_pytorchs_bins(height, width):
    x = np.random.default_rng(0).normal(size=(2, height, width, 3)).astype(np.float32)
    result = adaptive_average_pool(jnp.asarray(x), (7, 7))
    for i in range(7):
        for j in range(7):
            # PyTorch's start and end index of a bin, in its own integer arithmetic.
            rows = slice(i * height // 7, ((i + 1) * height + 6) // 7)
            columns = slice(j * width // 7, ((j + 1) * width + 6) // 7)
            expected = x[:, rows, columns].mean(axis=(1, 2))
            np.testing.assert_allclose(result[:, i, j], expected, rtol=1e-5, atol=1e-6)


def test_images_of_28_pixels_and_one_row_pass():
    sites = targets.vgg11_bn(image_size=28, channels=1, hidden=8, pool_size=1).sites
    assert [site.spatial for site in sites if site.spatial][-1] == (1, 1)
    sites = targets.vgg11(image_size=(1, 64), hidden=8, pool_size=1).sites
    assert [site.spatial for site in sites if site.spatial][-1] == (1, 4)


@pytest.mark.parametrize(
    ("options", "inputs", "hidden"),
    [
        ({"image_size": 28}, 512, 512),
        ({"image_size": (80, 63)}, 512, 512),
        ({"image_size": 64}, 7 * 7 * 512, 4096),
        ({}, 7 * 7 * 512, 4096),
        ({"image_size": 32, "pool_size": 2}, 2 * 2 * 512, 512),
        ({"image_size": 32, "hidden": 8}, 512, 8),
        ({"image_size": 96, "hidden": 8, "pool_size": 1}, 512, 8),
    ],
)
def test_the_head_follows_the_size_of_the_images_unless_it_is_given(options, inputs, hidden):
    target = targets.vgg11(**options)
    assert [site.channels for site in target.sites[-2:]] == [hidden, hidden]
    params = jax.eval_shape(target.init, jax.random.key(0))["params"]
    assert params["classifier_0"]["kernel"].shape == (inputs, hidden)
    assert params["classifier_3"]["kernel"].shape == (hidden, hidden)


def test_dropout_follows_the_key():
    target = targets.vgg11(image_size=8, num_classes=3, hidden=64, pool_size=1)
    params = target.init(jax.random.key(0))
    images = jax.random.normal(jax.random.key(1), (2, 8, 8, 3))
    train = jax.jit(target.train_apply)

    def logits(seed):
        return train(params, images, key=jax.random.key(seed))[0].logits

    np.testing.assert_array_equal(logits(1), logits(1))
    assert np.any(logits(1) != logits(2))
