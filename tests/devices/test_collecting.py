import signal
import subprocess
import sys
import time

import jax.numpy as jnp
import numpy as np
import pytest

from jaxpath.devices import collect, make_eval_step, make_mesh
from jaxpath.finite import flags
from jaxpath.types import InputError


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


def spoilt(bad, at):
    """Two batches of four, whose numbers are fine but one; the second is padded with NaN."""
    batches = [padded(np.arange(4), 4), padded(np.arange(3), 4)]
    batches[1]["x"][3] = np.nan
    batches[1]["index"] = np.arange(4, 8)
    batches[at // 4]["x"][at % 4] = bad
    return batches


@pytest.mark.parametrize("bad", [np.nan, np.inf])
@pytest.mark.parametrize(("at", "name", "called"), [(2, None, "image 2"), (5, "{}.png".format, "5.png")])
def test_what_is_not_finite_is_refused_with_the_image_even_if_only_a_class_is_returned(
    eight_devices, bad, at, name, called
):
    import jax

    mesh = make_mesh(jax.devices()[:4])
    for results in (
        lambda x: {"some_figure": x[:, 0]},
        lambda x: {"predicted": x.argmax(axis=1), **flags(some_figure=x)},
    ):
        step = make_eval_step(lambda params, frozen, batch, r=results: r(batch["x"][:, None]), mesh)
        with pytest.raises(InputError, match=f"^some figure of {called} not finite"):
            collect(step, spoilt(bad, at), {}, {}, mesh=mesh, name=name)


def test_padding_may_hold_anything_and_a_figure_that_not_every_image_has_stays_nan(one_device):
    step = make_eval_step(lambda params, frozen, batch: {"x": batch["x"], **flags(x=batch["x"])}, one_device)
    result = collect(step, spoilt(7, 2), {}, {}, mesh=one_device)
    np.testing.assert_array_equal(result["x"], [0, 1, 7, 3, 0, 1, 2])
    step = make_eval_step(lambda params, frozen, batch: {"x": batch["x"]}, one_device)
    result = collect(step, spoilt(np.nan, 2), {}, {}, mesh=one_device, undefined=("x",))
    np.testing.assert_array_equal(result["x"], [0, 1, np.nan, 3, 0, 1, 2])


LONG = """
import jax, jax.numpy as jnp, numpy as np
from jaxpath import start_up
from jaxpath.devices import collect, make_eval_step, make_mesh

def turn(_, x):
    return jnp.tanh(x @ x)

def search(params, frozen, batch):
    return {"x": jax.lax.fori_loop(0, params, turn, batch["x"])}

with start_up.settled():
    mesh = make_mesh(jax.devices()[:1])
    batches = [{"x": np.ones((4, 100, 100), np.float32)}]
    collect(make_eval_step(search, mesh), batches, jnp.int32(1), {}, mesh=mesh)
    print("compiled", flush=True)
    collect(make_eval_step(search, mesh), batches, jnp.int32(10**9), {}, mesh=mesh)
"""


def test_ctrl_c_ends_a_program_of_hours_at_once():
    """JAX's own wait hears nothing until the program has ended."""
    process = subprocess.Popen(
        [sys.executable, "-c", LONG], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    with process:
        try:
            assert process.stdout.readline() == "compiled\n"
            time.sleep(1)
            process.send_signal(signal.SIGINT)
            _, said = process.communicate(timeout=20)
        finally:
            process.kill()
    assert process.returncode == 130 and said.startswith("interrupted")
