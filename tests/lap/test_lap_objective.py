"""The objective of LAP: terms alone, knowledge of some images, and stages that freeze the rest."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxpath import data, devices, lap, targets, training
from jaxpath.lap.schedules import trainable_labels
from jaxpath.targets.objective import ScheduleState
from jaxpath.types import InputError

OFF = lap.LapWeights(*[0.0] * len(lap.LapWeights()))
MAKER = {"num_classes": 3, "image_size": 16, "widths": (4, 4, 8, 8)}


@cache
def net():
    target = lap.extend(lap.canvas_net, alpha=2.0, gate=None, **MAKER)
    return target, target.init(jax.random.key(0))


def canvases(count=8):
    images = np.full((4, 4, 4), 200, np.uint8) + np.arange(4, dtype=np.uint8)[:, None, None]
    pictures = data.ArraySource(images, np.array([0, 1, 2, 0]))
    return data.cluttered(pictures, count, clutter=data.Clutter(16, 2, 2), seed=0)


def batch(source):
    count = len(source)
    return {
        "image": jnp.asarray(source.images),
        "label": jnp.asarray(source.labels),
        "index": jnp.arange(count),
        "weight": jnp.ones(count),
        "position": jnp.arange(count),
    }


@cache
def compiled():
    """The objective on one device, for any weights: they are an argument of one program."""
    target, params = net()
    trained, progress = lap.init_training(target, params, key=jax.random.key(1))

    def run(weights, knowledge, batch):
        def at(step):
            return lap.LapWeights(*weights)

        keys = jax.random.split(jax.random.key(2), len(batch["label"]))
        objective = lap.make_objective(target, at, statistics="frozen")
        return objective(trained, progress, knowledge, batch, keys)

    mesh, one = devices.make_mesh(jax.devices()[:1]), jax.sharding.PartitionSpec()
    # Under the axis that the objective counts over.
    return jax.jit(jax.shard_map(run, mesh=mesh, in_specs=one, out_specs=one, check_vma=False))


def known_boxes():
    return lap.boxes_knowledge(canvases().boxes, (16, 16), 0.5, seed=0)


def losses_of(weights):
    loss, (after, metrics) = compiled()(jnp.array(weights), known_boxes(), batch(canvases()))
    return np.asarray(loss), after, metrics


def test_the_loss_is_the_weighted_sum_of_its_terms_one_value_per_image():
    weights = lap.LapWeights(region=2.0, annotation=3.0)
    loss, after, metrics = losses_of(weights)
    assert loss.shape == (8,) and int(after.step) == 1
    expected = sum(weight * metrics[name] for name, weight in weights._asdict().items())
    np.testing.assert_allclose(loss, expected, rtol=1e-5)
    assert all(np.isfinite(metrics[name]).all() for name in weights._fields)


@pytest.mark.parametrize("name", lap.LapWeights._fields)
def test_each_term_can_be_switched_on_alone(name):
    loss, _, metrics = losses_of(OFF._replace(**{name: 2.0}))
    np.testing.assert_allclose(loss, 2 * metrics[name], rtol=1e-4, atol=1e-6)
    assert loss.any() or name == "area"


def test_masks_count_for_the_images_that_have_one_and_few_as_much_as_many():
    _, _, metrics = losses_of(OFF)
    knowledge = known_boxes()
    known = np.asarray(knowledge.rows) >= 0
    assert known.sum() == 4 and len(knowledge.masks) == 4
    for name in ("region", "annotation"):
        assert (np.asarray(metrics[name])[known] > 0).all()
        assert not np.asarray(metrics[name])[~known].any()
    _, (_, of_all) = compiled()(
        jnp.array(OFF), lap.boxes_knowledge(canvases().boxes, (16, 16), 1.0, seed=0), batch(canvases())
    )
    # The mean over the batch is that over the images that have a mask.
    np.testing.assert_allclose(metrics["region"].mean(), of_all["region"][known].mean(), rtol=1e-4)
    row = int(np.flatnonzero(known)[0])
    top, left, bottom, right = canvases().boxes[row]
    mask = knowledge.masks[knowledge.rows[row]]
    assert mask[top:bottom, left:right].all() and mask.sum() == (bottom - top) * (right - left)
    np.testing.assert_array_equal(known_boxes().rows, knowledge.rows)
    with pytest.raises(InputError, match="share of 0"):
        lap.boxes_knowledge(canvases().boxes, (16, 16), 0.0, seed=0)


def test_terms_rise_over_the_run_and_the_cross_entropy_counts_at_once():
    at = lap.ramped(lap.LapWeights(), 100, ramp=(0.0, 0.5))
    assert [float(at(jnp.array(s)).absence) for s in (0, 25, 50, 99)] == [0, 0.5, 1, 1]
    assert float(at(jnp.array(0)).classification) == 1


def flat(tree):
    return {"/".join(k.key for k in path): v for path, v in jax.tree_util.tree_leaves_with_path(tree)}


def test_stages_name_what_learns():
    target = lap.extend(lap.canvas_net, sites=["pool2", "avgpool"], **MAKER)
    params, _ = lap.init_training(target, target.init(jax.random.key(0)), key=jax.random.key(1))
    heads, first, everything = (
        flat(trainable_labels(target, params, which)) for which in ("heads", "from_first_lap", "all")
    )
    assert heads["net/conv4/kernel"] == heads["net/fc/kernel"] == "frozen"
    assert heads["net/lap1_avgpool/head/scores/kernel"] == heads["distinguish/kernel"] == "rest"
    # Average pools have no gate: their sharpness would change what the frozen net reads.
    sharp = flat(trainable_labels(target, params, "sharp_heads"))
    differing = {name: sharp[name] for name in heads if heads[name] != sharp[name]}
    assert differing == {"net/lap0_pool2/theta": "theta", "net/lap1_avgpool/theta": "theta"}
    frozen = {name for name, label in first.items() if label == "frozen"}
    before = {f"net/{layer}{i}" for layer in ("conv", "bn") for i in (1, 2, 3)}
    assert {name.rsplit("/", 1)[0] for name in frozen} == before
    assert "frozen" not in everything.values()
    with pytest.raises(InputError, match="'backbone'"):
        trainable_labels(target, params, "backbone")


def test_behind_a_gate_sharpness_learns_with_the_heads():
    target = lap.extend(targets.resnet8, image_size=9, channels=1)
    params = jax.eval_shape(target.init, jax.random.key(0))
    trained, _ = jax.eval_shape(lambda p: lap.init_training(target, p, key=jax.random.key(1)), params)
    labels = flat(trainable_labels(target, trained, "heads"))
    assert {name: label for name, label in labels.items() if name.endswith("theta")} == {
        "net/lap0_layer2/theta": "theta",
        "net/lap1_layer3/theta": "theta",
        "net/lap2_avgpool/theta": "frozen",
    }


def test_what_is_frozen_gets_no_gradient_and_the_rest_the_same_one():
    target, params = net()
    trained, progress = lap.init_training(target, params, key=jax.random.key(1))
    labels = trainable_labels(target, trained, "heads")
    keys = jax.random.split(jax.random.key(2), 8)

    def gradient(labels):
        weights = lap.constant(lap.LapWeights())
        objective = lap.make_objective(target, weights, statistics="frozen", labels=labels)

        def total(trained):
            return objective(trained, progress, lap.no_knowledge(), batch(canvases()), keys)[0].mean()

        mesh, one = devices.make_mesh(jax.devices()[:1]), jax.sharding.PartitionSpec()
        run = jax.shard_map(jax.grad(total), mesh=mesh, in_specs=one, out_specs=one, check_vma=False)
        return flat(jax.jit(run)(trained))

    whole, heads = gradient(None), gradient(labels)
    for name, label in flat(labels).items():
        expected = jnp.zeros_like(whole[name]) if label == "frozen" else whole[name]
        np.testing.assert_allclose(heads[name], expected, rtol=1e-4, atol=1e-6, err_msg=name)
    assert np.abs(whole["net/conv1/kernel"]).max() > 0


@pytest.mark.slow
@pytest.mark.parametrize("statistics", ["batch", "frozen"])
def test_a_step_moves_what_is_trainable_and_the_loss_falls(statistics):
    target, params = net()
    source = canvases()
    trained, progress = lap.init_training(target, params, key=jax.random.key(1))
    which = "all" if statistics == "batch" else "heads"
    optimizer = lap.make_optimizer(optax.constant_schedule(0.01), target, trained, which)
    objective = lap.make_objective(target, lap.constant(lap.LapWeights()), statistics=statistics)
    mesh = devices.make_mesh(jax.devices()[:2])
    step = training.make_train_step(objective, optimizer, mesh)
    start = jax.tree.map(np.asarray, trained)
    state = training.create_state(trained, optimizer, key=jax.random.key(3), extra=progress)
    seen = []
    for _ in range(4):
        state, metrics = step(state, lap.no_knowledge(), devices.shard_batch(batch(source), mesh))
        seen.append(float(metrics["loss"]))
    assert seen[-1] < seen[0] and isinstance(state.extra, ScheduleState)
    moved = flat(jax.tree.map(lambda a, b: bool(np.any(a != np.asarray(b))), start, state.params))
    learned = {
        name for name, label in flat(trainable_labels(target, trained, which)).items() if label != "frozen"
    }
    assert {name for name, here in moved.items() if here} == learned
    same = jax.tree.map(lambda a, b: np.array_equal(a, b), progress.statistics, state.extra.statistics)
    assert all(jax.tree.leaves(same)) == (statistics == "frozen")
    assert set(lap.trained_params(state.params, state.extra)) == set(params)
