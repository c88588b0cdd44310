import functools
import json
import os
import signal
import time

import chex
import grain
import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
import tiny_training as tiny

from jaxpath.training import MetricLog, Storage, TrainingDiverged, create_state, fit, make_train_step
from jaxpath.training.checkpoints import Checkpoints
from jaxpath.types import InputError


@pytest.fixture
def run(one_device, tmp_path):
    """Runs the tiny training in ``folder``, as a program that is started anew would."""

    def start(num_steps, *, folder="run", batches=None, mesh=one_device):
        checkpoints = Checkpoints(tmp_path / folder / "checkpoints", config={"seed": 0}, save_every=4)
        try:
            return fit(
                tiny.state(jax.random.key(0)),
                tiny.step(mesh),
                batches or tiny.Batches(),
                tiny.frozen(),
                num_steps=num_steps,
                mesh=mesh,
                storage=Storage(checkpoints, MetricLog(tmp_path / folder), log_every=2),
            )
        finally:
            checkpoints.close()

    return start


def lines(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def raw(state):
    return jax.device_get(state._replace(key=jax.random.key_data(state.key)))


def test_a_resumed_run_equals_a_straight_one_bit_for_bit(run, tmp_path):
    straight = run(11, folder="straight")
    run(5)
    run(8)
    resumed = run(11)
    assert (straight.first_step, resumed.first_step) == (0, 8)
    assert resumed.state.step == 11
    chex.assert_trees_all_equal(raw(resumed.state), raw(straight.state))
    assert resumed.metrics == straight.metrics
    steps = [line["step"] for line in lines(tmp_path / "run")]
    assert steps == [2, 4, 5, 6, 8, 10, 11]
    assert {line["step"]: line for line in lines(tmp_path / "straight")}.items() <= {
        line["step"]: line for line in lines(tmp_path / "run")
    }.items()


def test_a_resumed_run_reads_grains_shuffled_batches_where_it_stopped(run):
    def batches():
        examples = [{name: values[0] for name, values in next(tiny.Batches(1)).items()} for _ in range(40)]
        for i, example in enumerate(examples):
            example["image"] = np.full((2, 2, 1), i, np.uint8)
        dataset = grain.MapDataset.source(examples).seed(1).shuffle().repeat(None)
        options = grain.ReadOptions(num_threads=1, prefetch_buffer_size=2)
        return iter(dataset.batch(tiny.BATCH).to_iter_dataset(options))

    straight = run(7, folder="straight", batches=batches())
    run(5, batches=batches())
    resumed = run(7, batches=batches())
    assert resumed.first_step == 5
    chex.assert_trees_all_equal(raw(resumed.state), raw(straight.state))


def test_a_run_continues_on_another_number_of_devices(run, eight_devices):
    straight = run(6, folder="straight")
    run(3)
    resumed = run(6, mesh=eight_devices)
    assert resumed.first_step == 3
    chex.assert_trees_all_close(raw(resumed.state), raw(straight.state), rtol=1e-5, atol=1e-5)


def test_a_finished_run_does_nothing_more(run):
    finished, again = run(4), run(4)
    assert (again.first_step, again.metrics, again.images_per_second) == (4, {}, 0.0)
    chex.assert_trees_all_equal(raw(again.state), raw(finished.state))


def test_a_nan_stops_the_run_at_its_step_and_the_last_good_checkpoint_stays(run):
    with pytest.raises(TrainingDiverged, match=r"at step 7: loss is nan.*checkpoint, of step 4, stays"):
        run(12, batches=tiny.Batches(poison=7))
    # Healthy data continue after step 4.
    resumed, straight = run(12), run(12, folder="straight")
    assert resumed.first_step == 4
    chex.assert_trees_all_equal(raw(resumed.state), raw(straight.state))


def test_a_nan_at_a_step_that_is_due_is_not_saved(run):
    with pytest.raises(TrainingDiverged, match=r"at step 8.*checkpoint, of step 4, stays"):
        run(12, batches=tiny.Batches(poison=8))
    assert run(12).first_step == 4


def test_parameters_that_become_nan_with_a_finite_loss_stop_the_run(one_device):
    def explode(updates, state, params=None):
        del params
        return jax.tree.map(lambda g: g * jnp.inf, updates), state

    def objective(params, extra, frozen, batch, keys):
        del frozen, keys
        return params * jnp.ones(batch["label"].shape), (extra, {})

    optimizer = optax.GradientTransformation(lambda params: (), explode)
    state = create_state(jnp.float32(1.0), optimizer, key=jax.random.key(0))
    step = make_train_step(objective, optimizer, one_device)
    with pytest.raises(TrainingDiverged, match=r"at step 1: param_norm is inf; no checkpoint was written"):
        fit(state, step, tiny.Batches(), {}, num_steps=3, mesh=one_device)


@pytest.mark.parametrize(("number", "status"), [(signal.SIGTERM, 0), (signal.SIGINT, 130)])
def test_a_signal_saves_and_ends_the_run_after_the_step(run, number, status, capsys):
    class Interrupting(tiny.Batches):
        def __next__(self):
            if self._next == 5:
                os.kill(os.getpid(), number)
            return super().__next__()

    before = signal.getsignal(number)
    with pytest.raises(SystemExit) as stopped:
        run(12, batches=Interrupting())
    assert stopped.value.code == status
    assert signal.getsignal(number) == before
    assert "stopped and saved after step 5" in capsys.readouterr().err
    resumed, straight = run(12), run(12, folder="straight")
    assert resumed.first_step == 5
    chex.assert_trees_all_equal(raw(resumed.state), raw(straight.state))


def test_data_that_end_are_an_error_that_names_the_step(one_device):
    class Short(tiny.Batches):
        def __next__(self):
            if self._next == 2:
                raise StopIteration
            return super().__next__()

    with pytest.raises(InputError, match="ended before step 3"):
        fit(
            tiny.state(jax.random.key(0)),
            tiny.step(one_device),
            Short(),
            tiny.frozen(),
            num_steps=5,
            mesh=one_device,
        )


def test_fewer_steps_than_were_done_are_refused(run):
    run(4)
    with pytest.raises(InputError, match=r"has 4 steps.*to have 2"):
        run(2)


def test_images_per_second_leave_compilation_out(run):
    result = run(5)
    assert result.compile_seconds > 0
    np.testing.assert_allclose(result.images_per_second, 5 * tiny.BATCH / result.seconds)


def test_reading_that_outlasts_a_step_is_counted(run):
    class Slow(tiny.Batches):
        def __next__(self):
            time.sleep(0.05)
            return super().__next__()

    result = run(5, batches=Slow())
    assert 4 * 0.05 <= result.input_seconds <= result.seconds
    assert run(5).input_seconds == 0  # Nothing was left to do.


def test_steps_and_logs_move_nothing_between_host_and_device_but_what_the_loop_names(one_device, tmp_path):
    """Batches are sent and metrics fetched by name; anything else would wait for the device."""
    state, step, frozen = tiny.state(jax.random.key(0)), tiny.step(one_device), tiny.frozen()
    storage = Storage(log=MetricLog(tmp_path), log_every=2)
    with jax.transfer_guard("disallow"):
        fit(state, step, tiny.Batches(), frozen, num_steps=6, mesh=one_device, storage=storage)
    assert [line["step"] for line in lines(tmp_path)] == [2, 4, 6]
    leaking = functools.partial(leak, step)
    with (
        jax.transfer_guard("disallow"),
        pytest.raises(jax.errors.JaxRuntimeError, match="Disallowed host-to-device"),
    ):
        fit(tiny.state(jax.random.key(0)), leaking, tiny.Batches(), frozen, num_steps=2, mesh=one_device)


def leak(step, state, frozen, batch):
    return step(state._replace(params=jax.tree.map(lambda p: p + np.float32(0), state.params)), frozen, batch)
