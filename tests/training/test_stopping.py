"""Runs that end early: when, with which parameters, and that a resumed one does the same."""

import chex
import jax
import numpy as np
import pytest
import tiny_training as tiny

from jaxpath.training import EarlyStopping, Look, Storage, fit
from jaxpath.training.checkpoints import Checkpoints

VALUES = {2: 0.5, 4: 0.7, 6: 0.6, 8: 0.7, 10: 0.9, 12: 0.1}
"""The best by patience 2 is step 4: 6 is worse, and 8 is no better."""


class Watched:
    """Measures what a table says, whatever the parameters; keeps them as arrays."""

    def __init__(self, patience=2):
        self.kept, self.measured = [], []
        self.step = None
        self.stopping = EarlyStopping(self.measure, self.keep, every=2, patience=patience)

    def measure(self, params):
        self.measured.append(float(jax.tree.leaves(params)[0].sum()))
        return VALUES[2 * len(self.stopping.looks) + 2]

    def keep(self, params):
        self.kept.append(jax.device_get(params))


def run(folder, mesh, num_steps, watched, batches=None):
    checkpoints = Checkpoints(folder, config={}, save_every=3)
    try:
        return fit(
            tiny.state(jax.random.key(0)),
            tiny.step(mesh),
            batches or tiny.Batches(),
            tiny.frozen(),
            num_steps=num_steps,
            mesh=mesh,
            storage=Storage(checkpoints, stopping=watched.stopping),
        )
    finally:
        checkpoints.close()


def raw(state):
    return jax.device_get(state._replace(key=jax.random.key_data(state.key)))


def test_a_run_ends_after_so_many_looks_without_a_better_one(tmp_path, one_device):
    watched = Watched()
    result = run(tmp_path, one_device, 12, watched)
    assert result.state.step == 8
    assert watched.stopping.looks == (Look(2, 0.5), Look(4, 0.7), Look(6, 0.6), Look(8, 0.7))
    assert watched.stopping.best == Look(4, 0.7)
    # The best parameters are those after step 4.
    straight = run(tmp_path / "straight", one_device, 4, Watched())
    assert len(watched.kept) == 2
    chex.assert_trees_all_equal(watched.kept[-1], jax.device_get(straight.state.params))


def test_a_patient_run_looks_after_its_last_step_too(tmp_path, one_device):
    watched = Watched(patience=9)
    assert run(tmp_path, one_device, 11, watched).state.step == 11
    assert [look.step for look in watched.stopping.looks] == [2, 4, 6, 8, 10, 11]


@pytest.mark.parametrize("poison", [5, 6, 8])
def test_a_resumed_run_ends_where_a_straight_one_does(tmp_path, one_device, poison):
    class Killed(tiny.Batches):
        def __next__(self):
            if self._next == poison:
                raise KeyboardInterrupt
            return super().__next__()

    straight = Watched()
    expected = run(tmp_path / "straight", one_device, 12, straight)
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path / "killed", one_device, 12, Watched(), Killed())
    again = Watched()
    result = run(tmp_path / "killed", one_device, 12, again)
    assert again.stopping.looks == straight.stopping.looks
    chex.assert_trees_all_equal(raw(result.state), raw(expected.state))
    for ours in again.kept:
        assert any(all(map(np.array_equal, ours.values(), one.values())) for one in straight.kept)


def test_a_run_that_has_ended_does_nothing_more(tmp_path, one_device):
    finished = run(tmp_path, one_device, 12, Watched())
    again = Watched()
    result = run(tmp_path, one_device, 12, again)
    assert (again.measured, result.first_step) == ([], 8)
    chex.assert_trees_all_equal(raw(result.state), raw(finished.state))


def test_images_per_second_are_those_of_the_steps_that_were_done(tmp_path, one_device):
    result = run(tmp_path, one_device, 12, Watched())
    assert result.images_per_second * result.seconds == pytest.approx(8 * tiny.BATCH)
