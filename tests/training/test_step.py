import chex
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import tiny_training as tiny

from jaxpath.devices import make_mesh, replicate, shard_batch
from jaxpath.training import create_state, make_train_step


def run(mesh, key, num_steps=5):
    state, frozen = replicate((tiny.state(key), tiny.frozen()), mesh)
    step, batches, metrics = tiny.step(mesh), tiny.Batches(), {}
    for _ in range(num_steps):
        state, metrics = jax.block_until_ready(step(state, frozen, shard_batch(next(batches), mesh)))
    return jax.device_get(state._replace(key=jax.random.key_data(state.key))), jax.device_get(metrics)


def test_eight_devices_give_the_parameters_of_one(one_device, eight_devices, key):
    state1, metrics1 = run(one_device, key)
    state8, metrics8 = run(eight_devices, key)
    assert state1.step == 5
    assert abs(state1.extra["dual"] - 0.5) > 1e-3
    chex.assert_trees_all_close(state8, state1, rtol=1e-5, atol=1e-5)
    chex.assert_trees_all_close(metrics8, metrics1, rtol=1e-5, atol=1e-5)


def test_a_step_is_that_of_plain_jax_on_the_whole_batch(eight_devices):
    x = np.arange(16, dtype=np.float32).reshape(16, 1) / 16
    y = 3 * x[:, 0] + 1

    def losses(params, batch):
        return (batch["x"] @ params["w"] + params["b"] - batch["y"]) ** 2

    def objective(params, extra, frozen, batch, keys):
        del frozen, keys
        values = losses(params, batch)
        return values, (extra, {"error": jnp.sqrt(values)})

    params = {"w": jnp.ones(1), "b": jnp.float32(0.0)}
    batch = {"x": x, "y": y}
    gradient = jax.grad(lambda p: losses(p, batch).mean())(params)
    state = create_state(params, optax.sgd(0.1), key=jax.random.key(0))
    step = make_train_step(objective, optax.sgd(0.1), eight_devices)
    state, metrics = step(replicate(state, eight_devices), {}, shard_batch(batch, eight_devices))
    expected = jax.tree.map(lambda p, g: p - 0.1 * g, params, gradient)
    chex.assert_trees_all_close(jax.device_get(state.params), jax.device_get(expected), rtol=1e-6)
    norm = np.sqrt(float(gradient["w"][0]) ** 2 + float(gradient["b"]) ** 2)
    # At w = 1, b = 0 the error is 2 x + 1, whose mean over x = 0, 1/16, ..., 15/16 is 1 + 15/16.
    np.testing.assert_allclose(metrics["error"], 1.9375, rtol=1e-6)
    np.testing.assert_allclose(metrics["grad_norm"], norm, rtol=1e-6)
    after = np.sqrt(float(expected["w"][0]) ** 2 + float(expected["b"]) ** 2)
    np.testing.assert_allclose(metrics["param_norm"], after, rtol=1e-6)


def test_padding_counts_neither_in_the_gradient_nor_in_the_metrics(eight_devices):
    def objective(params, extra, frozen, batch, keys):
        del frozen, keys
        return params * batch["x"], (extra, {"x": batch["x"]})

    # Devices 2 to 7 hold padding only; device 1 holds one real example of its two.
    batch = {"x": np.full(16, np.nan, np.float32), "weight": np.zeros(16, np.float32)}
    batch["x"][:3], batch["weight"][:3] = [1.0, 2.0, 6.0], 1.0
    batch["x"][3:] = 1e6
    optimizer = optax.sgd(1.0)
    state = create_state(jnp.float32(10.0), optimizer, key=jax.random.key(0))
    step = make_train_step(objective, optimizer, eight_devices)
    state, metrics = step(replicate(state, eight_devices), {}, shard_batch(batch, eight_devices))
    np.testing.assert_allclose(state.params, 10 - 3.0)
    np.testing.assert_allclose(metrics["x"], 3.0)
    np.testing.assert_allclose(metrics["loss"], 30.0)


def test_the_step_is_traced_and_compiled_once(eight_devices, key, caplog):
    objective = chex.assert_max_traces(tiny.objective, n=1)
    chex.clear_trace_counter()
    step = make_train_step(objective, tiny.optimizer(), eight_devices)
    state, frozen = replicate((tiny.state(key), tiny.frozen()), eight_devices)
    batches = tiny.Batches()
    with jax.log_compiles():
        for _ in range(3):
            state, _ = jax.block_until_ready(step(state, frozen, shard_batch(next(batches), eight_devices)))
    assert sum("Compiling jit(step)" in record.getMessage() for record in caplog.records) == 1


def test_every_example_and_every_step_has_its_own_key_whatever_the_devices(key):
    def keys_of(mesh, step_number):
        def objective(params, extra, frozen, batch, keys):
            del extra, frozen
            draws = jax.vmap(lambda k: jax.random.uniform(k))(keys)
            # The draw of one example at a time reaches the caller through its own slot.
            slots = jax.lax.psum(jnp.zeros(8).at[batch["position"]].set(draws), "data")
            return params * draws, (slots, {})

        optimizer = optax.sgd(0.0)
        state = create_state(jnp.float32(1.0), optimizer, key=key, extra=jnp.zeros(8))
        state = replicate(state._replace(step=jnp.int32(step_number)), mesh)
        step = make_train_step(objective, optimizer, mesh)
        return np.asarray(step(state, {}, shard_batch({"x": np.zeros(8, np.float32)}, mesh))[0].extra)

    on_one = keys_of(make_mesh(jax.devices()[:1]), 3)
    assert len(set(on_one)) == 8
    np.testing.assert_array_equal(keys_of(make_mesh(jax.devices()[:4]), 3), on_one)
    assert not set(on_one) & set(keys_of(make_mesh(jax.devices()[:1]), 4))


def test_the_state_is_donated_and_the_callers_parameters_are_not(one_device):
    params = {"w": jnp.ones(3)}

    def objective(params, extra, frozen, batch, keys):
        del frozen, keys
        return batch["x"] * params["w"].sum(), (extra, {})

    optimizer = optax.adam(0.1)
    state = replicate(create_state(params, optimizer, key=jax.random.key(0)), one_device)
    step = make_train_step(objective, optimizer, one_device)
    new, _ = step(state, {}, shard_batch({"x": np.ones(4, np.float32)}, one_device))
    assert all(leaf.is_deleted() for leaf in jax.tree.leaves(state.params))
    np.testing.assert_array_equal(params["w"], 1.0)
    assert not new.params["w"].is_deleted()


def test_frozen_weights_get_no_gradient_and_are_not_part_of_the_program(one_device, key):
    state, frozen = replicate((tiny.state(key), tiny.frozen()), one_device)
    batch = shard_batch(next(tiny.Batches()), one_device)
    step = tiny.step(one_device)
    text = step.lower(state, frozen, batch).as_text()
    assert "dense<" not in "".join(line for line in text.splitlines() if "4x6xf32>" in line)
    before = np.asarray(frozen["projection"])
    step(state, frozen, batch)
    np.testing.assert_array_equal(frozen["projection"], before)


@pytest.mark.parametrize(
    ("objective", "message"),
    [
        (lambda p, e, f, b, k: (p * b["x"].mean(), (e, {})), "losses of shape"),
        (lambda p, e, f, b, k: (p * b["x"], (e, {"loss": b["x"]})), "'loss'"),
        (lambda p, e, f, b, k: (p * b["x"], (e, {"z": b["x"][:, None]})), r"metrics\['z'\] of shape"),
    ],
)
def test_an_objective_that_returns_the_wrong_thing_is_told_so(objective, message, one_device):
    state = create_state(jnp.float32(1.0), optax.sgd(0.1), key=jax.random.key(0))
    step = make_train_step(objective, optax.sgd(0.1), one_device)
    with pytest.raises(ValueError, match=message):
        step(state, {}, shard_batch({"x": np.ones(4, np.float32)}, one_device))
