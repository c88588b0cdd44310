"""Shapes, parameter counts and the transposed convolution of the published interpreters."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_flint import INTERPRETER, TARGET, batch, params

from jaxpath import flint, targets
from jaxpath.flint.decoder import conv_transpose
from jaxpath.types import InputError


def scatter(x, kernel):
    """kernel 3, stride 2, padding 1, output padding 1, one product at a time."""
    batch, height, width, _ = x.shape
    out = np.zeros((batch, 2 * height + 2, 2 * width + 2, kernel.shape[3]))
    for i in range(height):
        for j in range(width):
            for k in range(3):
                for m in range(3):
                    out[:, 2 * i + k, 2 * j + m] += x[:, i, j] @ kernel[k, m]
    return out[:, 1 : 2 * height + 1, 1 : 2 * width + 1]


@pytest.mark.parametrize("size", [(7, 7), (14, 14), (3, 5)])
def test_the_transposed_convolution_is_a_scatter_and_same_is_it_shifted_by_a_pixel(size):
    rng = np.random.default_rng(0)
    x, kernel = rng.normal(size=(2, *size, 3)), rng.normal(size=(3, 3, 3, 4))
    expected = scatter(x, kernel)
    x, kernel = jnp.asarray(x, jnp.float32), jnp.asarray(kernel, jnp.float32)
    result = jax.jit(conv_transpose)(x, kernel)
    assert result.shape == (2, 2 * size[0], 2 * size[1], 4)
    np.testing.assert_allclose(result, expected, atol=1e-4)
    same = jax.lax.conv_transpose(
        x, kernel[::-1, ::-1], (2, 2), "SAME", dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    assert np.abs(same - expected).max() > 0.1
    np.testing.assert_allclose(same[:, 1:, 1:], expected[:, :-1, :-1], atol=1e-4)


def shapes_of(target, recipe):
    """What init and apply would make, without making it: (target, features, interpreter, output)."""
    interpreter = flint.make_interpreter(target, recipe.sites, **recipe.interpreter)
    own = jax.eval_shape(target.init, jax.random.key(0))
    images = jax.ShapeDtypeStruct((2, *interpreter.image_shape), jnp.uint8)
    features = jax.eval_shape(target.apply, own, images).features
    made = jax.eval_shape(interpreter.init, jax.random.key(0), features)
    return own, features, made, jax.eval_shape(interpreter.apply, made, features)


def count(tree) -> int:
    return sum(math.prod(leaf.shape) for leaf in jax.tree.leaves(tree))


def test_mnists_networks_have_the_published_shapes_and_sizes():
    own, features, made, output = shapes_of(targets.lenet(), flint.MNIST)
    assert count(own) == 809_034
    assert count(made["params"]["attributes"]) == 32_921
    assert count(made["params"]["decoder"]) == 2_773
    assert made["params"]["head"]["kernel"].shape == (25, 10)
    assert [features[name].shape[1:] for name in flint.MNIST.sites] == [(14, 14, 32)]
    assert [part.shape for part in output] == [(2, 25), (2, 10), (2, 28, 28, 1)]


@pytest.mark.parametrize(
    ("recipe", "options", "maps", "decoder", "image"),
    [
        (flint.QUICKDRAW, {"image_size": 28, "channels": 1}, [(7, 7, 256), (4, 4, 512)], 4.92, (28, 28, 1)),
        (flint.CIFAR10, {}, [(8, 8, 256), (4, 4, 512)], 25.2, (32, 32, 3)),
    ],
)
def test_the_residual_networks_have_the_published_shapes_and_sizes(recipe, options, maps, decoder, image):
    own, features, made, output = shapes_of(targets.resnet18_normless(**options), recipe)
    assert set(own) == {"params"}
    assert [features[name].shape[1:] for name in recipe.sites] == maps
    assert count(made["params"]["attributes"]) == pytest.approx(530_000, rel=0.02)
    assert count(made["params"]["decoder"]) == pytest.approx(decoder * 1e6, rel=0.003)
    assert output.reconstruction.shape == (2, *image)
    assert output.attributes.shape == (2, recipe.interpreter["num_attributes"])


def test_initial_values_are_uniform_within_one_over_the_root_of_the_fan_in():
    own, made = params()
    kernel = np.asarray(own["params"]["classifier_0"]["kernel"])
    bound = kernel.shape[0] ** -0.5
    assert np.abs(kernel).max() <= bound
    assert kernel.std() == pytest.approx(bound / np.sqrt(3), rel=0.02)
    bias = np.asarray(own["params"]["features_2"]["bias"])
    assert 0.2 < np.abs(bias).max() * np.sqrt(9 * 16) <= 1
    assert (np.asarray(made["params"]["decoder"]["image"]["bias"]) > 0).all()


def test_attributes_of_one_map_are_the_written_out_network():
    own, made = params()
    images = batch(3)["image"]
    features = TARGET.apply(own, images).features
    result = flint.interpret(INTERPRETER, made, features)
    p = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), made["params"])
    x = np.pad(np.asarray(features[flint.MNIST.sites[0]], np.float64), ((0, 0), (1, 1), (1, 1), (0, 0)))

    def leaky(x):
        return np.where(x > 0, x, 0.01 * x)

    kernel = p["attributes"]["embed_0"]["kernel"]
    x = sum(x[:, i : i + 4, j : j + 4] @ kernel[i, j] for i in range(3) for j in range(3))
    x = leaky(x + p["attributes"]["embed_0"]["bias"])
    bins = [slice(0, 2), slice(1, 3), slice(2, 4)]  # overlapping thirds of four rows
    x = np.stack([np.stack([x[:, r, c].mean(axis=(1, 2)) for c in bins], 1) for r in bins], 1)
    dense = p["attributes"]["dense"]
    attributes = leaky(x.reshape(3, -1) @ dense["kernel"] + dense["bias"])
    np.testing.assert_allclose(result.attributes, attributes, atol=1e-5)
    logits = attributes @ p["head"]["kernel"] + p["head"]["bias"]
    np.testing.assert_allclose(result.logits, logits, atol=1e-5)


def test_dropout_acts_between_attributes_and_logits_only():
    own, made = params()
    features = TARGET.apply(own, batch(2)["image"]).features
    keep = jnp.ones((2, 6)).at[1, 3].set(0)
    plain = flint.interpret(INTERPRETER, made, features)
    dropped = flint.interpret(INTERPRETER, made, features, keep)
    np.testing.assert_array_equal(dropped.attributes, plain.attributes)
    np.testing.assert_array_equal(dropped.reconstruction, plain.reconstruction)
    missing = plain.attributes[1, 3] * flint.head_kernel(made)[3]
    np.testing.assert_allclose(dropped.logits[1], plain.logits[1] - missing, atol=1e-6)
    np.testing.assert_array_equal(dropped.logits[0], plain.logits[0])


def test_the_deepest_two_sizes_are_read_unless_sites_are_named():
    target = targets.resnet8(image_size=8, channels=1)
    assert [site.name for site in flint.make_interpreter(target).sites] == [
        "004.layer2.0.relu2",
        "006.layer3.0.relu2",
    ]
    with pytest.raises(InputError, match=r"\['nowhere'\].*no feature maps of resnet8.*000.relu"):
        flint.make_interpreter(target, ["nowhere"])
    with pytest.raises(InputError, match=r"classifier\.1"):
        flint.make_interpreter(TARGET, ["002.classifier.1"])


def test_an_image_whose_sides_are_no_multiples_is_cut_out_of_the_decoders_grid():
    target = targets.resnet8(image_size=(10, 13), num_classes=3)
    interpreter = flint.make_interpreter(target, decoder_widths=(4, 4))
    _, _, _, output = shapes_of(
        target, flint.MNIST._replace(sites=(), interpreter={"decoder_widths": (4, 4)})
    )
    assert output.reconstruction.shape == (2, 10, 13, 3)
    assert not interpreter.nonnegative
