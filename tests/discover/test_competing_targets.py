"""Networks of competing units are targets: pathways, and training that does not depend on the devices."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest
from tiny_competing import make_tiny

from jaxpath import devices, discover, explainers, targets, training
from jaxpath.pathways import density, flatten
from jaxpath.targets import lwta_argmax, winner_mask
from jaxpath.targets.objective import competition_kl, make_classifier_objective
from jaxpath.types import Competition, InputError

BATCH = 8


@pytest.fixture(scope="module")
def tiny():
    target = make_tiny()
    images = np.random.default_rng(0).integers(0, 256, (BATCH, 3, 4, 1), dtype=np.uint8)
    return target, target.init(jax.random.key(0)), images


def test_the_winners_as_gates_leave_the_network_as_it_is(tiny):
    target, params, images = tiny
    clean = target.apply(params, images)
    won = clean.records(Competition)
    gates = {name: winner_mask(result.winners, block_size=2) for name, result in won.items()}
    np.testing.assert_array_equal(target.apply(params, images, gates).logits, clean.logits)


def test_a_fixed_draw_is_a_function_of_the_image(tiny):
    target, params, images = tiny
    fixed = discover.fix_draw(target, jax.random.key(3))
    whole = fixed.apply(params, images)
    turned = fixed.apply(params, images[::-1])
    np.testing.assert_allclose(turned.logits[::-1], whole.logits, atol=1e-5)
    drawn = target.sample_apply(params, images[:1], key=jax.random.key(3)[None])
    np.testing.assert_allclose(drawn.logits, whole.logits[:1], atol=1e-5)
    assert np.any(whole.logits != target.apply(params, images).logits)
    with pytest.raises(InputError, match="draws nothing"):
        discover.fix_draw(make_tiny(1), jax.random.key(3))


def test_pathways_are_computed_on_them(tiny):
    target, params, images = tiny
    explain = jax.jit(explainers.make_explainer("taylor_signed", target, density=0.5))
    pathway = explain(params, images, np.zeros(BATCH, int), key=jax.random.key(0))
    np.testing.assert_allclose(density(flatten(pathway.masks, target.sites)), 0.5)
    feature = target.apply(params, images).features["001.pooled.lwta"]
    kernel = np.asarray(params["params"]["Dense_2"]["kernel"])[:, 0]
    np.testing.assert_allclose(pathway.scores["001.pooled.lwta"], np.asarray(feature) * kernel, atol=1e-5)


def test_the_divergence_is_added_up_over_sites_for_each_example(tiny):
    target, params, images = tiny
    output = target.apply(params, images)
    x = (images / 255 - 0.5) / 0.5
    dense = jax.tree.map(np.asarray, params["params"])
    h = x.astype(np.float32) @ dense["Dense_0"]["kernel"] + dense["Dense_0"]["bias"]
    first = lwta_argmax(jnp.asarray(h), block_size=2)
    pooled = np.asarray(first.y).mean(axis=(1, 2)) @ dense["Dense_1"]["kernel"] + dense["Dense_1"]["bias"]
    last = lwta_argmax(jnp.asarray(pooled), block_size=2)
    expected = np.asarray(first.kl).mean(axis=(1, 2, 3)) + np.asarray(last.kl).mean(axis=1)
    np.testing.assert_allclose(competition_kl(output.records(Competition)), expected, atol=1e-5)


def train(target, params, images, num_devices, *, weight, steps=2):
    mesh = devices.make_mesh(jax.devices()[:num_devices])
    optimizer = optax.adam(0.05)
    objective = make_classifier_objective(target, competition_weight=weight)
    state = training.create_state(
        jax.tree.map(np.asarray, params["params"]), optimizer, key=jax.random.key(1)
    )
    step = training.make_train_step(objective, optimizer, mesh)
    batch = {"image": images, "label": np.arange(BATCH) % 3}
    for _ in range(steps):
        state, result = step(state, {}, devices.shard_batch(batch, mesh))
    return state.params, result


def test_draws_in_training_do_not_depend_on_the_number_of_devices(tiny):
    target, params, images = tiny
    one, two = (train(target, params, images, count, weight=0.0)[0] for count in (1, 2))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, atol=1e-6), one, two)


def test_the_weight_of_the_divergence_counts(tiny):
    target, params, images = tiny
    kl = float(competition_kl(target.apply(params, images).records(Competition)).mean())
    without, alone = (train(target, params, images, 1, weight=w, steps=1)[1]["loss"] for w in (0.0, 2.0))
    # The first competition is the same in a draw; the second one sees other winners.
    assert 0.5 * kl < float(alone - without) / 2 < 2 * kl


@pytest.mark.parametrize(("competitors", "variance"), [(1, 1 / 3), (8, 8.0)])
def test_the_weights_of_the_digit_network_make_up_for_units_that_lose(competitors, variance):
    target = targets.digit_cnn(competitors=competitors)
    kernel = np.asarray(target.init(jax.random.key(0))["params"]["classifier_0"]["kernel"])
    assert kernel.var() * kernel.shape[0] == pytest.approx(variance, rel=0.02)
