import jax
import jax.numpy as jnp
import numpy as np
import pytest
from convolutions import draw, penalty_gradient, plain, with_gradients
from flax import linen as nn
from jax import lax

from jaxpath import compiling
from jaxpath.layers import (
    Conv,
    Dense,
    adaptive_average_pool,
    conv_general_dilated,
    max_pool,
    relu,
    uniform_init,
)

DIMENSIONS = ("NHWC", "HWIO", "NHWC")


@pytest.mark.parametrize("strides", [(1, 1), (2, 1)])
@pytest.mark.parametrize("padding", ["SAME", "VALID", ((0, 2), (1, 0))])
@pytest.mark.parametrize("kernel", [(1, 1), (2, 3)])
@pytest.mark.parametrize("size", [(4, 3), (5, 20)])
def test_the_convolution_agrees_with_xla(size, kernel, padding, strides):
    x, weights = draw(2, *size, 5), draw(*kernel, 5, 6)
    expected = lax.conv_general_dilated(x, weights, strides, padding, dimension_numbers=DIMENSIONS)
    result = jax.jit(conv_general_dilated, static_argnums=(2, 3))(x, weights, strides, padding)
    assert result.shape == expected.shape
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-5)


def test_the_convolution_agrees_with_loops():
    x, weights = np.asarray(draw(1, 4, 4, 2)), np.asarray(draw(3, 3, 2, 3))
    expected = np.zeros((1, 2, 2, 3))
    for i in range(2):
        for j in range(2):
            for d in range(3):
                expected[0, i, j, d] = (x[0, i : i + 3, j : j + 3] * weights[..., d]).sum()
    result = conv_general_dilated(x, weights, (1, 1), "VALID")
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("options", [{"feature_group_count": 2}, {"rhs_dilation": (2, 2)}])
def test_groups_and_dilation_are_kept(options):
    x = draw(2, 6, 6, 4)
    weights = draw(3, 3, 4 // options.get("feature_group_count", 1), 4)
    expected = lax.conv_general_dilated(x, weights, (1, 1), "SAME", dimension_numbers=DIMENSIONS, **options)
    result = conv_general_dilated(x, weights, (1, 1), "SAME", **options)
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("compiled", [jax.jit, compiling.jit])
@pytest.mark.parametrize("side", [3, 7])
@pytest.mark.parametrize("stride", [1, 2])
def test_a_depthwise_convolution_mixes_places_and_no_channels(stride, side, compiled):
    rng = np.random.default_rng(0)
    x, kernel = rng.normal(size=(2, 7, 6, 5)), rng.normal(size=(side, side, 1, 5))
    pad = side // 2
    padded = np.pad(x, ((0, 0), (pad, pad), (pad, pad), (0, 0)))
    expected = np.zeros((2, -(-7 // stride), -(-6 // stride), 5))
    for n, i, j, c in np.ndindex(expected.shape):
        window = padded[n, stride * i : stride * i + side, stride * j : stride * j + side, c]
        expected[n, i, j, c] = (window * kernel[:, :, 0, c]).sum()

    @compiled
    def convolve(x, kernel):
        return conv_general_dilated(x, kernel, (stride, stride), ((pad, pad),) * 2, feature_group_count=5)

    result = convolve(jnp.asarray(x, "f4"), jnp.asarray(kernel, "f4"))
    np.testing.assert_allclose(result, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("strides", [(1, 1), (2, 1), (2, 2)])
@pytest.mark.parametrize("padding", ["SAME", "VALID", ((0, 2), (1, 0)), ((3, 3), (4, 4))])
@pytest.mark.parametrize("kernel", [(1, 1), (2, 3)])
@pytest.mark.parametrize("size", [(4, 3), (5, 20)])
def test_gradients_agree_with_xla(size, kernel, padding, strides):
    x, weights = draw(2, *size, 3), draw(*kernel, 3, 4)

    result, expected = (
        with_gradients(convolve, x, weights, strides, padding) for convolve in (conv_general_dilated, plain)
    )
    for ours, theirs in zip(result[:2], expected[:2], strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)


def test_gradients_of_gradients_agree_with_xla():
    x, weights = draw(2, 9, 9, 3), draw(3, 3, 3, 4)

    result = penalty_gradient(conv_general_dilated, x, weights)
    expected = penalty_gradient(plain, x, weights)
    np.testing.assert_allclose(result, expected, rtol=1e-4, atol=1e-3)


def test_the_flax_layer_uses_the_same_numbers_as_flax():
    from flax import linen as nn

    x = draw(2, 6, 6, 3)
    ours, theirs = Conv(4, (3, 3), (2, 2), padding=1), nn.Conv(4, (3, 3), (2, 2), padding=1)
    params = theirs.init(jax.random.key(0), x)
    np.testing.assert_allclose(ours.apply(params, x), theirs.apply(params, x), rtol=1e-5, atol=1e-5)


def slow_pool(x, size):
    """Bin by bin, from PyTorch's definition of the edges."""
    out = np.zeros((x.shape[0], *size, x.shape[3]))
    for i in range(size[0]):
        rows = slice(int(np.floor(i * x.shape[1] / size[0])), int(np.ceil((i + 1) * x.shape[1] / size[0])))
        for j in range(size[1]):
            left, right = np.floor(j * x.shape[2] / size[1]), np.ceil((j + 1) * x.shape[2] / size[1])
            out[:, i, j] = x[:, rows, int(left) : int(right)].mean(axis=(1, 2))
    return out


@pytest.mark.parametrize("size", [(1, 1), (4, 3), (7, 7)])
@pytest.mark.parametrize("shape", [(8, 6), (7, 7), (1, 2)])
def test_the_adaptive_pool_agrees_with_a_loop_over_bins(shape, size):
    x = draw(2, *shape, 3)
    result = adaptive_average_pool(x, size)
    np.testing.assert_allclose(result, slow_pool(np.asarray(x), size), rtol=1e-5, atol=1e-5)


def test_accelerators_average_blocks():
    x = draw(2, 12, 8, 3)
    with compiling.traced_for("gpu"):
        result = adaptive_average_pool(x, (3, 2))
    np.testing.assert_allclose(result, slow_pool(np.asarray(x), (3, 2)), rtol=1e-5, atol=1e-5)


def test_bins_overlap_where_the_size_does_not_divide():
    # Three pixels into two bins: pixels 0 and 1, pixels 1 and 2.
    x = jnp.array([1.0, 2.0, 6.0]).reshape(1, 1, 3, 1)
    np.testing.assert_allclose(adaptive_average_pool(x, (1, 2)).ravel(), [1.5, 4], rtol=1e-6)


def test_sums_are_kept_in_float32_and_the_type_comes_back():
    # 4096 ones: bfloat16 cannot count beyond 256.
    ones = jnp.ones((1, 64, 64, 1), jnp.bfloat16)
    result = adaptive_average_pool(ones, (1, 1))
    assert result.dtype == jnp.bfloat16 and float(result.ravel()[0]) == 1


@pytest.mark.parametrize("size", [(4, 6), (5, 7)])
@pytest.mark.parametrize(
    ("window", "strides", "padding"),
    [
        ((2, 2), None, ((0, 0), (0, 0))),
        ((3, 3), (2, 2), ((1, 1), (1, 1))),
        ((2, 3), (1, 2), ((1, 0), (0, 2))),
    ],
)
def test_the_pool_of_maxima_is_flaxs_pool_with_its_gradient(size, window, strides, padding):
    x = draw(2, *size, 3) - 9
    expected, expected_gradient = jax.vjp(lambda x: nn.max_pool(x, window, strides or window, padding), x)
    result, gradient = jax.vjp(lambda x: max_pool(x, window, strides, padding), x)
    np.testing.assert_array_equal(result, expected)
    # Whole numbers: where windows overlap, their sums do not depend on the order.
    weights = jnp.round(9 * draw(*expected.shape))
    np.testing.assert_array_equal(gradient(weights)[0], expected_gradient(weights)[0])


def test_values_that_tie_share_the_gradient_of_their_maximum():
    x = jnp.array([[1.0, 1.0], [0.0, -1.0]])[None, :, :, None]
    gradient = jax.grad(lambda x: max_pool(x, (2, 2)).sum())(x)
    np.testing.assert_array_equal(gradient[0, :, :, 0], [[0.5, 0.5], [0, 0]])


@pytest.mark.parametrize("compiled", [jax.jit, compiling.jit])
def test_the_rectifier_is_jaxs_with_its_gradient(compiled):
    x = jnp.array([-1.0, -0.0, 0.0, 2.0, jnp.nan, jnp.inf])
    weights = jnp.arange(1.0, 7.0)

    def with_gradients(rectify):
        y, pull = jax.vjp(rectify, x)
        return y, pull(weights)[0], jax.jvp(rectify, (x,), (weights,))[1]

    for result, expected in zip(
        compiled(lambda: with_gradients(relu))(), with_gradients(jax.nn.relu), strict=True
    ):
        np.testing.assert_array_equal(result, expected)


def test_uniform_initial_values_have_a_third_of_the_variance_of_lecun():
    for init in uniform_init(48).values():
        values = init(jax.random.key(0), (100, 100))
        assert jnp.abs(values).max() <= 48**-0.5
        np.testing.assert_allclose(values.var(), 1 / (3 * 48), rtol=0.05)


@pytest.mark.parametrize("size", [(2, 2), (3, 2), (1, 1), (5, 4)])
@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_a_tpus_form_of_the_adaptive_pool_has_the_same_values(size, dtype):
    x = jax.random.normal(jax.random.key(0), (2, 7, 8, 5)).astype(dtype)
    expected = adaptive_average_pool(x.astype(jnp.float32), size)
    with compiling.traced_for("tpu"):
        result = adaptive_average_pool(x, size)
    assert result.dtype == dtype
    # Summed in float32 and rounded once.
    np.testing.assert_allclose(
        np.asarray(result, np.float32), np.asarray(expected.astype(dtype), np.float32), rtol=1e-5, atol=1e-6
    )


def bias_gradients(layer, x):
    """The gradient of a layer's bias, where each entry of the result has a random slope."""
    params = layer.init(jax.random.key(0), x)
    slope = jax.random.normal(jax.random.key(1), layer.apply(params, x).shape).astype(jnp.bfloat16)

    def total(params):
        return (layer.apply(params, x) * slope).astype(jnp.float32).sum()

    return jax.jit(jax.grad(total))(params)["params"], np.asarray(slope, np.float64)


def test_bias_gradients_in_bfloat16_are_float32_sums_of_the_same_products():
    for layer, shape in (
        (Dense(3, dtype=jnp.bfloat16), (4096, 2)),
        (Conv(3, (1, 1), dtype=jnp.bfloat16), (8, 16, 16, 2)),
    ):
        found, slope = bias_gradients(layer, jnp.ones(shape))
        expected = slope.reshape(-1, 3).sum(axis=0)
        assert found["bias"].dtype == jnp.float32
        np.testing.assert_allclose(found["bias"], expected, atol=1e-6 * np.abs(expected).max(), rtol=1e-5)
