"""What pathways meet in training: other fills, blank pictures, other pictures of their class."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec as P
from planted import planted_images, planted_target
from scipy.special import log_softmax
from test_objective import FROZEN, TARGET, make_generator, masks_of, train

from jaxpath.blanks import drawn_blanks
from jaxpath.devices import AXIS, make_mesh
from jaxpath.gencnp import Budget, ObjectiveOptions, init_sparsity, make_objective
from jaxpath.gencnp.encounters import drawn_fills, kin
from jaxpath.types import InputError

APPLY = jax.jit(TARGET.apply)
CLASSES = np.array([0, 1, 2, 2, 1, 0, 0, 2], np.int32)


def slow_kin(classes, size):
    places, exists = [], []
    for place, own in enumerate(classes):
        first = place - place % size
        round_ = [first + (place - first + step) % size for step in range(1, size)]
        same = [other for other in round_ if classes[other] == own]
        places.append(same[0] if same else place)
        exists.append(float(bool(same)))
    return places, exists


@pytest.mark.parametrize(("count", "size"), [(32, 16), (48, 16), (24, 8), (5, 1)])
def test_kin_agree_with_a_loop(count, size):
    classes = np.random.default_rng(count).integers(0, 5, count)
    places, exists = kin(jnp.asarray(classes))
    assert (places.tolist(), exists.tolist()) == slow_kin(classes.tolist(), size)


@pytest.mark.parametrize("ablations", [("mean",), ("zero", "mean"), ("zero", "mean", "interchange")])
def test_fills_are_those_that_were_asked_for_on_any_number_of_devices(ablations):
    rng = np.random.default_rng(0)
    features = {"a": rng.normal(size=(64, 2, 3, 4)), "b": rng.normal(size=(64, 5))}
    features = {name: jnp.asarray(value, jnp.float32) for name, value in features.items()}
    places = jnp.arange(64) ^ 1
    exists = jnp.asarray(rng.integers(0, 2, 64), jnp.float32)
    keys = jax.random.split(jax.random.key(3), 64)

    def step(features, exists, keys):
        return drawn_fills(ablations, features, (jnp.arange(len(exists)) ^ 1, exists), keys)

    def on(num_devices):
        mesh = make_mesh(jax.devices()[:num_devices])
        specs = {"in_specs": P(AXIS), "out_specs": P(AXIS), "check_vma": False}
        return jax.jit(jax.shard_map(step, mesh=mesh, **specs))(features, exists, keys)

    one, eight = on(1), on(8)
    for name, values in one.items():
        np.testing.assert_allclose(values, eight[name], rtol=1e-5, atol=1e-6)
    # By hand: 0, the mean, or a point between the mean and the other image's activation.
    seen = set()
    for image in range(64):
        kinds = []
        for name, feature in features.items():
            feature, value = np.asarray(feature), np.asarray(one[name][image])
            mean = feature.mean(axis=tuple(range(feature.ndim - 1)))
            way = feature[int(places[image])] - mean
            # The strength that explains the value best.
            strength = float((way * (value - mean)).sum() / (way**2).sum())
            if np.allclose(value, 0, atol=1e-5):
                kinds.append("zero")
            elif np.allclose(np.broadcast_to(value, way.shape), np.broadcast_to(mean, way.shape), atol=1e-5):
                kinds.append("mean")
            else:
                np.testing.assert_allclose(value, mean + strength * way, atol=1e-4)
                assert 0 < strength < 1 and exists[image]
                kinds.append("interchange")
        assert len(set(kinds)) == 1
        seen.add(kinds[0])
    assert seen == set(ablations)


def test_closed_neurons_that_hold_0_need_no_fill():
    assert (
        drawn_fills(("zero",), {}, (jnp.arange(1), jnp.ones(1)), jax.random.split(jax.random.key(0), 1))
        is None
    )


def test_blank_pictures_are_of_all_kinds_and_depend_on_their_key():
    target = planted_target()
    images = jnp.asarray(planted_images(np.random.default_rng(0), 40)[0])
    keys = jax.random.split(jax.random.key(0), 40)
    blanks = np.asarray(drawn_blanks(images, keys, target.preprocessing))
    again = np.asarray(drawn_blanks(images[::-1], keys[::-1], target.preprocessing))[::-1]
    np.testing.assert_array_equal(blanks, again)
    kinds = set()
    for image, blank in zip(np.asarray(images), blanks, strict=True):
        pixels = np.unique(blank.reshape(-1, blank.shape[-1]), axis=0)
        same = np.sort(image.ravel()).tolist() == np.sort(blank.ravel()).tolist()
        kinds.add("even" if len(pixels) == 1 else "shuffled" if same else "noise")
    assert kinds == {"even", "shuffled", "noise"}


def losses_with(options, generator, params, images, keys):
    objective = jax.jit(make_objective(TARGET, generator, options))
    extra = init_sparsity(options)._replace(budget=jnp.float32(0.5))
    batch = {"image": images, "label": jnp.zeros(len(images), jnp.int32)}
    values, (_, metrics) = objective(params, extra, FROZEN, batch, keys)
    return np.asarray(values), metrics


def test_a_blank_picture_has_to_lose_the_class_and_a_kin_to_keep_it():
    generator, params = make_generator()
    images = jnp.asarray(planted_images(np.random.default_rng(5), 8, CLASSES)[0])
    keys = jax.random.split(jax.random.key(0), 8)
    # The whole network: every mask is open, so that the other pictures' own logits can be compared.
    aim = Budget(1.0, steps=0)
    shared = {"generator": generator, "params": params, "images": images, "keys": keys}
    plain, _ = losses_with(ObjectiveOptions(aim), **shared)
    blank, _ = losses_with(ObjectiveOptions(aim, blank_weight=2.0), **shared)
    kept, metrics = losses_with(ObjectiveOptions(aim, kin_weight=3.0), **shared)
    for loss in (plain, blank, kept):
        assert np.isfinite(loss).all()
    # Where the cut is, is drawn: the same by hand at every density that may have been.
    predicted = np.asarray(APPLY(FROZEN, images).logits.argmax(axis=1))
    blanks = drawn_blanks(
        images, jax.vmap(lambda key: jax.random.fold_in(key, 2))(keys), TARGET.preprocessing
    )
    places, exists = slow_kin(predicted.tolist(), 8)
    count, rows = sum(site.channels for site in TARGET.sites), np.arange(8)
    rejected, accepted = [], []
    for num_open in range(round(0.4 * count), round(0.5 * count) + 1):
        masks = masks_of(generator, params, images, predicted, num_open / count)
        on_blanks, on_kin = (
            log_softmax(np.asarray(APPLY(FROZEN, x, masks).logits, np.float64), axis=1)[rows, predicted]
            for x in (blanks, images[jnp.asarray(places)])
        )
        rejected.append(-2 * np.log1p(-np.exp(on_blanks)))
        accepted.append(-3 * np.array(exists) * on_kin)
    assert sum(exists) == 8
    np.testing.assert_allclose(np.abs((blank - plain) - np.array(rejected)).min(axis=0), 0, atol=1e-3)
    np.testing.assert_allclose(np.abs((kept - plain) - np.array(accepted)).min(axis=0), 0, atol=1e-3)
    assert metrics["same_class_acceptance"].count == 8


def test_eight_devices_train_the_same_parameters_as_one_on_all_that_pathways_meet():
    options = ObjectiveOptions(
        Budget(0.5, steps=2),
        leakage_weight=1.0,
        blank_weight=1.0,
        ablations=("zero", "mean", "interchange"),
    )
    generator, params = make_generator()
    one, _ = train(generator, params, options, steps=3, devices=1)
    eight, _ = train(generator, params, options, steps=3, devices=8)
    for a, b in zip(jax.tree.leaves(one.params), jax.tree.leaves(eight.params), strict=True):
        np.testing.assert_allclose(a, b, rtol=2e-3, atol=2e-5)


@pytest.mark.parametrize("ablations", [(), ("none",), ("zero", "median")])
def test_unknown_ablations_are_refused(ablations):
    with pytest.raises(InputError, match="choose some of zero, mean, interchange"):
        ObjectiveOptions(ablations=ablations)
