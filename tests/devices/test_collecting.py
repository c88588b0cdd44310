import jax.numpy as jnp
import numpy as np
import pytest

from jaxpath.devices import collect, make_eval_step, make_mesh


def padded(values, size):
    """One batch of ``size``: the values, then padding that would spoil every mean."""
    count = len(values)
    x = np.full(size, 1e9, np.float32)
    x[:count] = values
    return {
        "x": x,
        "index": np.arange(size),
        "weight": (np.arange(size) < count).astype(np.float32),
    }


@pytest.mark.parametrize("num_devices", [1, 2, 4])
def test_a_mean_over_batches_of_four_and_one_is_exact(num_devices):
    import jax

    mesh = make_mesh(jax.devices()[:num_devices])
    step = make_eval_step(lambda params, frozen, batch: {"x": params * batch["x"] + frozen}, mesh)
    # Four ones and a zero: 0.8, where the mean of the two batches' means is 0.5.
    batches = [padded([1, 1, 1, 1], 4), padded([0], 4)]
    result = collect(step, batches, jnp.float32(1.0), jnp.float32(0.0), mesh=mesh)
    np.testing.assert_array_equal(result["x"], [1, 1, 1, 1, 0])
    assert result["x"].mean() == pytest.approx(0.8, abs=1e-7)


def test_results_keep_their_shape_and_the_order_of_the_data(eight_devices):
    step = make_eval_step(
        lambda params, frozen, batch: {"pair": jnp.stack([batch["x"], -batch["x"]], 1), "n": batch["index"]},
        eight_devices,
    )
    batches = [padded(np.arange(8), 8), padded([8, 9, 10], 8)]
    result = collect(step, batches, {}, {}, mesh=eight_devices)
    np.testing.assert_array_equal(result["pair"], np.stack([np.arange(11), -np.arange(11)], 1))
    np.testing.assert_array_equal(result["n"], [*range(8), 0, 1, 2])


def test_no_batches_give_no_results(one_device):
    step = make_eval_step(lambda params, frozen, batch: {"x": batch["x"]}, one_device)
    assert collect(step, [], {}, {}, mesh=one_device) == {}
