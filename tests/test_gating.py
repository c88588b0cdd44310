import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxpath.gating import Taps, check_gates, fill_closed, gate
from jaxpath.types import FilledMask, InputError, ShiftedMask, Site


@pytest.fixture
def activation():
    return np.random.default_rng(0).normal(size=(2, 2, 3, 4)).astype(np.float32)


@pytest.mark.parametrize("shape", [(2, 4), (1, 4), (2, 2, 3, 4)])
def test_a_gate_of_ones_changes_no_bit(activation, shape):
    np.testing.assert_array_equal(gate(activation, jnp.ones(shape)), activation)
    for fill in (jnp.full(4, 7.5), jnp.full((2, 3, 4), -7.5)):
        np.testing.assert_array_equal(gate(activation, FilledMask(jnp.ones(shape), fill)), activation)


def test_a_channel_gate_closes_its_channel_of_its_image(activation):
    mask = np.array([[1, 0, 1, 1], [0, 1, 1, 1]], bool)
    expected = activation.copy()
    expected[0, :, :, 1] = 0
    expected[1, :, :, 0] = 0
    np.testing.assert_array_equal(gate(activation, mask), expected)


def test_one_row_serves_every_image(activation):
    expected = activation.copy()
    expected[..., 2] = 0
    np.testing.assert_array_equal(gate(activation, np.array([[1, 1, 0, 1]])), expected)


def test_a_unit_gate_closes_one_unit(activation):
    mask = np.ones_like(activation)
    mask[1, 0, 2, 3] = 0
    expected = activation.copy()
    expected[1, 0, 2, 3] = 0
    np.testing.assert_array_equal(gate(activation, mask), expected)


def test_a_dense_site_takes_its_mask_as_it_is():
    np.testing.assert_array_equal(
        gate(jnp.array([[1.0, 2.0], [3.0, 4.0]]), jnp.array([[0, 1], [1, 0]])), [[0, 2], [3, 0]]
    )


def test_closed_neurons_take_the_fill_of_their_channel(activation):
    mask = np.array([[1, 0, 1, 1], [0, 1, 1, 1]], np.float32)
    expected = activation.copy()
    expected[0, :, :, 1] = 20
    expected[1, :, :, 0] = 10
    result = gate(activation, FilledMask(mask, np.array([10, 20, 30, 40], np.float32)))
    np.testing.assert_array_equal(result, expected)


def test_closed_units_take_the_fill_of_their_place(activation):
    mask = np.ones_like(activation)
    mask[:, 1, 2, 0] = 0
    fill = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    expected = activation.copy()
    expected[:, 1, 2, 0] = 20  # (1 * 3 + 2) * 4 + 0
    np.testing.assert_array_equal(gate(activation, FilledMask(mask, fill)), expected)


def test_a_fill_can_be_of_each_image(activation):
    fill = np.arange(activation.size, dtype=np.float32).reshape(activation.shape)
    np.testing.assert_array_equal(gate(activation, FilledMask(np.zeros((2, 4)), fill)), fill)


def test_a_fill_can_be_of_each_image_and_channel(activation):
    fill = np.arange(8, dtype=np.float32).reshape(2, 4)
    result = gate(activation, FilledMask(np.zeros((2, 4)), fill))
    np.testing.assert_array_equal(result, np.broadcast_to(fill[:, None, None], activation.shape))
    dense = gate(jnp.ones((2, 4)), FilledMask(np.zeros((2, 4)), fill))
    np.testing.assert_array_equal(dense, fill)


def test_at_tokens_a_fill_with_two_axes_is_of_each_image_whatever_the_number_of_tokens():
    fill = np.arange(8, dtype=np.float32).reshape(2, 4)
    square = jnp.ones((2, 2, 4))
    closed = gate(square, FilledMask(np.zeros((2, 4)), fill))
    np.testing.assert_array_equal(closed, np.broadcast_to(fill[:, None], square.shape))
    closed = gate(square, FilledMask(np.zeros((2, 4)), fill[None]))
    np.testing.assert_array_equal(closed, np.broadcast_to(fill, square.shape))
    with pytest.raises(InputError, match=r"\(3, 4\); expected \(4,\).*\(1, 3, 4\).*\(2, 4\)"):
        gate(jnp.ones((2, 3, 4)), FilledMask(np.zeros((2, 4)), np.ones((3, 4))))


def test_the_gradient_of_a_filled_gate_is_activation_minus_fill():
    result = jax.grad(lambda m: gate(jnp.array([[3.0, 5.0]]), FilledMask(m, jnp.array([1.0, 7.0]))).sum())
    np.testing.assert_array_equal(result(jnp.array([[0.0, 1.0]])), [[2, -2]])


def test_a_shifted_gate_adds_after_its_mask_and_both_have_gradients():
    def sum_of(gate_by_channel):
        return gate(jnp.array([[[3.0, 5.0], [1.0, 2.0]]]), gate_by_channel, site="004.relu").sum()

    shifted = ShiftedMask(jnp.array([[0.0, 2.0]]), jnp.array([[10.0, -1.0]]))
    np.testing.assert_array_equal(gate(jnp.array([[[3.0, 5.0], [1.0, 2.0]]]), shifted), [[[10, 9], [10, 3]]])
    slopes = jax.grad(sum_of)(shifted)
    np.testing.assert_array_equal(slopes.mask, [[4, 7]])
    np.testing.assert_array_equal(slopes.shift, [[2, 2]])
    with pytest.raises(InputError, match=r"004\.relu"):
        sum_of(ShiftedMask(jnp.ones((1, 2)), jnp.ones((1, 3))))


def test_masks_get_their_fills_by_name_or_stay_as_they_are():
    masks = {"000.a": jnp.ones((1, 2)), "001.b": jnp.zeros((1, 3))}
    assert fill_closed(masks, None) is masks
    filled = fill_closed(masks, {"000.a": jnp.zeros(2), "001.b": jnp.arange(3.0)})
    assert filled["001.b"].mask is masks["001.b"]
    np.testing.assert_array_equal(gate(jnp.ones((1, 3)), filled["001.b"]), [[0, 1, 2]])


@pytest.mark.parametrize("shape", [(2, 3), (3, 4), (4,), (2, 1, 1, 4), (2, 3, 2, 4)])
def test_a_mask_of_another_shape_is_refused_by_name(activation, shape):
    with pytest.raises(InputError, match=r"004\.relu.*\(2, 4\)"):
        gate(activation, jnp.ones(shape), site="004.relu")


@pytest.mark.parametrize("shape", [(), (3,), (1, 4), (3, 2, 3, 4)])
def test_a_fill_of_another_shape_is_refused_by_name(activation, shape):
    with pytest.raises(InputError, match=r"fill for site '004\.relu'"):
        gate(activation, FilledMask(jnp.ones((2, 4)), jnp.ones(shape)), site="004.relu")


def test_the_type_of_the_activation_is_kept():
    half = jnp.ones((1, 2), jnp.bfloat16)
    assert gate(half, np.ones((1, 2), np.float32)).dtype == jnp.bfloat16
    assert gate(half, FilledMask(np.ones((1, 2)), np.ones(2))).dtype == jnp.bfloat16


@pytest.mark.parametrize("fill", [None, 0.5])
@pytest.mark.parametrize("rows", [1, 2])
def test_the_gradient_of_a_channel_gate_is_summed_in_float32(rows, fill):
    rng = np.random.default_rng(0)
    activation, cotangent = (jnp.asarray(rng.normal(size=(2, 56, 56, 4)), jnp.bfloat16) for _ in range(2))

    def gated(mask):
        return gate(activation, mask if fill is None else FilledMask(mask, jnp.full(4, fill, jnp.bfloat16)))

    _, pull = jax.vjp(gated, jnp.ones((rows, 4)))
    products = np.asarray(activation * cotangent, np.float64)
    if fill is not None:
        products = np.asarray(activation * cotangent - jnp.bfloat16(fill) * cotangent, np.float64)
    expected = products.sum(axis=(1, 2) if rows == 2 else (0, 1, 2)).reshape(rows, 4)
    error = np.abs(np.asarray(pull(cotangent)[0]) - expected).max()
    assert error < 1e-6 * np.abs(expected).max()


def test_an_unknown_gate_lists_the_sites():
    sites = (Site("000.a", 2, None), Site("001.b", 3, None))
    check_gates({"001.b": jnp.ones((1, 3))}, sites)
    check_gates(None, sites)
    with pytest.raises(InputError, match=r"002\.c.*000\.a.*001\.b"):
        check_gates({"002.c": jnp.ones((1, 3))}, sites)


def test_taps_number_the_calls_and_gate_only_what_is_named():
    taps = Taps({"001.relu": np.array([[0, 1]])})
    x = jnp.array([[1.0, 2.0]])
    np.testing.assert_array_equal(taps("relu", x), [[1, 2]])
    np.testing.assert_array_equal(taps("relu", 10 * x), [[0, 20]])
    np.testing.assert_array_equal(taps("last", x), [[1, 2]])
    assert list(taps.features) == ["000.relu", "001.relu", "002.last"]
    np.testing.assert_array_equal(taps.features["001.relu"], [[0, 20]])
