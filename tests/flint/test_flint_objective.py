"""What the two objectives train, what they leave alone, and that the number of devices does not matter."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from flax import linen as nn
from small_flint import INTERPRETER, TARGET, batch, params

from jaxpath import flint, targets
from jaxpath.devices import AXIS, make_mesh, replicate, shard_batch
from jaxpath.gating import Taps
from jaxpath.targets.objective import init_schedule
from jaxpath.training import create_state, make_train_step

OFF = flint.LossWeights(*[0.0] * 6)
TERMS = ("output", "prediction", "reconstruction", "sparsity")
SUM = flint.LossWeights(0.7, 0.3, 0.5, 0.11, 0.2, 2.0)
STAGES = {1 + place: OFF._replace(**{term: 1.0}) for place, term in enumerate(TERMS)} | {5: SUM}
"""A stage of one step for each term alone, then their sum: one compiled step serves all tests."""

OPTIMIZER = optax.sgd(0.5)


@cache
def joint_step(devices: int):
    mesh = make_mesh(jax.devices()[:devices])
    objective = flint.make_objective(TARGET, INTERPRETER, lambda step: flint.stage_weights(step + 1, STAGES))
    return mesh, make_train_step(objective, OPTIMIZER, mesh)


def joint(first, *, steps=1, devices=1):
    """(start, end, progress, metrics) of ``steps`` steps from step number ``first`` on."""
    own, made = params()
    start = {"target": own["params"], "interpreter": made}
    mesh, step = joint_step(devices)
    extra = init_schedule()._replace(step=jnp.int32(first))
    state = replicate(create_state(start, OPTIMIZER, key=jax.random.key(3), extra=extra), mesh)
    metrics = {}
    for number in range(steps):
        state, metrics = step(state, {}, shard_batch(batch(16, seed=number), mesh))
        jax.block_until_ready(state)
    end, extra = jax.device_get((state.params, state.extra))
    return start, end, extra, {name: float(value) for name, value in metrics.items()}


def moved(before, after) -> dict[str, bool]:
    def differs(a, b):
        return any(np.any(x != y) for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True))

    return {name: differs(before[name], after[name]) for name in before}


def test_the_output_fidelity_moves_the_classifier_through_the_attributes_only():
    start, end, _, _ = joint(TERMS.index("output"))
    assert moved(start["target"], end["target"]) == {
        "features_0": True,
        "features_2": True,
        "classifier_0": False,
        "classifier_3": False,
    }
    interpreter = moved(start["interpreter"]["params"], end["interpreter"]["params"])
    assert interpreter == {"attributes": True, "head": True, "decoder": False}


def test_the_prediction_moves_the_classifier_only_and_the_picture_everything_it_is_made_of():
    start, end, _, _ = joint(TERMS.index("prediction"))
    assert all(moved(start["target"], end["target"]).values())
    assert not any(moved(start["interpreter"]["params"], end["interpreter"]["params"]).values())
    start, end, _, _ = joint(TERMS.index("reconstruction"))
    interpreter = moved(start["interpreter"]["params"], end["interpreter"]["params"])
    assert interpreter == {"attributes": True, "head": False, "decoder": True}


def test_eight_devices_train_the_same_parameters_as_one_with_dropout_and_diversity():
    _, one, _, metrics1 = joint(4, steps=4)
    _, eight, _, metrics8 = joint(4, steps=4, devices=8)
    for a, b in zip(jax.tree.leaves(one), jax.tree.leaves(eight), strict=True):
        np.testing.assert_allclose(a, b, atol=1e-5)
    assert metrics1 == pytest.approx(metrics8, abs=1e-5)


def test_the_loss_is_the_weighted_sum_of_the_terms():
    _, _, _, m = joint(4)
    expected = 0.7 * m["prediction"] + 0.3 * m["reconstruction"] + 0.5 * m["output"] + 0.11 * m["sparsity"]
    expected += 0.2 * (m["concentration"] - 2.0 * m["diversity"])
    assert m["loss"] == pytest.approx(expected, rel=1e-5)


def test_the_weights_follow_the_step_that_is_carried_along():
    for steps, term in ((2, "prediction"), (4, "sparsity")):
        _, _, extra, metrics = joint(0, steps=steps)
        assert int(extra.step) == steps
        assert metrics["loss"] == pytest.approx(metrics[term], rel=1e-6)


class Normed(nn.Module):
    """A convolution, a BatchNorm and a linear layer."""

    axis_name: str | None = None

    @nn.compact
    def __call__(self, images, gates=None, *, train=False):
        taps = Taps(gates)
        x = nn.Conv(4, (1, 1), name="conv")(images)
        x = nn.BatchNorm(not train, axis_name=self.axis_name if train else None, name="norm")(x)
        x = taps("relu", nn.relu(x))
        return nn.Dense(4, name="head")(x.mean(axis=(1, 2))), taps.features


def one_device(objective):
    """The objective as a device runs it that has an axis of its own."""
    return jax.vmap(objective, in_axes=(None, None, None, 0, 0), axis_name=AXIS)


def one_batch(size):
    keys = jax.random.split(jax.random.key(0), (1, size))
    return {name: jnp.asarray(values)[None] for name, values in batch(size).items()}, keys


def test_a_classifier_with_batch_norm_carries_its_statistics_along():
    preprocessing = targets.make_preprocessing(8, 1)
    target = targets.from_linen(Normed(), name="normed", num_classes=4, preprocessing=preprocessing)
    interpreter = flint.make_interpreter(target, num_attributes=4, width=4)
    variables = dict(target.init(jax.random.key(0)))
    made = flint.init_interpreter(interpreter, target, variables, key=jax.random.key(1))
    objective = flint.make_objective(target, interpreter, lambda step: SUM)
    start = {"target": variables.pop("params"), "interpreter": made}
    _, (extra, _) = jax.jit(one_device(objective))(start, init_schedule(variables), {}, *one_batch(4))
    before = variables["batch_stats"]["norm"]["mean"]
    assert np.any(np.asarray(before) != extra.statistics["batch_stats"]["norm"]["mean"][0])
    assert extra.step.tolist() == [1]


def test_post_hoc_no_gradient_reaches_the_classifier():
    own, made = params()
    objective = flint.make_post_hoc_objective(TARGET, INTERPRETER, lambda step: flint.LossWeights())
    run = one_device(objective)

    def loss(made, own, one, keys):
        return run(made, init_schedule(), own, one, keys)[0].mean()

    to_made, to_own = jax.jit(jax.grad(loss, argnums=(0, 1)))(made, own, *one_batch(4))
    assert all(np.any(leaf) for leaf in jax.tree.leaves(to_made))
    assert not any(np.any(leaf) for leaf in jax.tree.leaves(to_own))


def test_post_hoc_training_learns_what_the_frozen_classifier_says():
    own, made = params()
    # Untrained, but sure of what it says: an even share of the images for each class.
    kernel = np.random.default_rng(0).normal(size=(128, 4)).astype(np.float32)
    own = {
        "params": {**own["params"], "classifier_3": {"kernel": 20 * kernel, "bias": np.zeros(4, np.float32)}}
    }
    objective = flint.make_post_hoc_objective(TARGET, INTERPRETER, lambda step: OFF._replace(output=1.0))
    mesh, optimizer = make_mesh(jax.devices()[:1]), optax.adam(1e-2)
    step = make_train_step(objective, optimizer, mesh)
    state = create_state(made, optimizer, key=jax.random.key(3), extra=init_schedule())
    history = []
    for number in range(60):
        state, metrics = step(state, own, shard_batch(batch(32, seed=number), mesh))
        history.append({name: float(value) for name, value in metrics.items()})
    assert history[-1]["output"] < 0.5 * history[0]["output"]
    assert history[-1]["fidelity"] >= 0.85
