"""What closed neurons hold, worked out by hand and by slow loops."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec as P

from jaxpath import fills
from jaxpath.devices import AXIS, make_mesh
from jaxpath.fills import Fill, References
from jaxpath.gating import gate
from jaxpath.types import InputError

# Three reference pictures at a site of two channels and one place, of classes 0, 1 and 1.
FEATURES = {"000.a": np.array([[10.0, 20.0], [30.0, 40.0], [50.0, 60.0]], np.float32)}
MEANS = {"000.a": np.array([2.0, 4.0], np.float32)}
CLASSES = np.array([0, 1, 1])
REFERENCES = References(np.zeros((3, 1, 1, 3), np.uint8), CLASSES, FEATURES, MEANS)


def closed(fill: Fill, classes, places):
    """What a site that is closed for all images holds; its activation is 7."""
    masks = {"000.a": np.zeros((len(classes), 2), np.float32)}
    gates = fill.close(masks, np.array(classes), np.array(places))
    return np.asarray(gate(jnp.full((len(classes), 2), 7.0), gates["000.a"]))


def test_the_three_ablations_by_hand():
    np.testing.assert_array_equal(closed(REFERENCES.fill("zero"), [0, 1], [0, 0]), [[0, 0], [0, 0]])
    np.testing.assert_array_equal(closed(REFERENCES.fill("mean"), [0, 1], [0, 0]), [[2, 4], [2, 4]])
    # For class 0 there are the pictures 1 and 2, in turn; for class 1 always picture 0.
    result = closed(REFERENCES.fill("interchange"), [0, 0, 0, 1, 1], [0, 1, 2, 0, 1])
    np.testing.assert_array_equal(result, [[30, 40], [50, 60], [30, 40], [10, 20], [10, 20]])


def test_a_scaled_interchange_goes_from_the_mean_to_the_reference():
    result = closed(REFERENCES.fill("interchange", strength=0.5), [0, 1], [0, 0])
    np.testing.assert_array_equal(result, [[16, 22], [6, 12]])
    nothing = closed(REFERENCES.fill("interchange", strength=0.0), [0, 1], [0, 0])
    np.testing.assert_array_equal(nothing, closed(REFERENCES.fill("mean"), [0, 1], [0, 0]))
    everything = closed(REFERENCES.fill("interchange", strength=1.0), [0, 1], [0, 0])
    np.testing.assert_array_equal(everything, closed(REFERENCES.fill("interchange"), [0, 1], [0, 0]))
    from_zero = closed(REFERENCES.fill("interchange", strength=0.5)._replace(means=None), [0], [0])
    np.testing.assert_array_equal(from_zero, [[15, 20]])


def test_zero_and_mean_agree_where_the_mean_is_zero():
    means = Fill({"000.a": np.zeros(2, np.float32)})
    np.testing.assert_array_equal(closed(means, [0, 1], [0, 0]), closed(Fill(), [0, 1], [0, 0]))


def test_open_neurons_are_what_they_were_under_every_fill():
    masks = {"000.a": np.array([[1.0, 0.0]], np.float32)}
    for ablation in fills.ABLATIONS:
        gates = REFERENCES.fill(ablation).close(masks, np.array([0]), np.array([0]))
        assert gate(jnp.full((1, 2), 7.0), gates["000.a"])[0, 0] == 7


@pytest.mark.parametrize("shape", [(3,), (2, 2, 3)])
def test_each_image_may_have_a_strength_and_a_mean_of_its_own(shape):
    rng = np.random.default_rng(0)
    other, means = rng.normal(size=(4, *shape)), rng.normal(size=(4, 3))
    strength = np.array([0.0, 1.0, 0.25, 0.5])
    result = fills.blend({"a": jnp.asarray(means)}, {"a": jnp.asarray(other)}, jnp.asarray(strength))["a"]
    for i in range(4):
        expected = means[i] + strength[i] * (other[i] - means[i])
        np.testing.assert_allclose(result[i], expected, rtol=1e-5, atol=1e-6)


def test_names():
    given = [REFERENCES.fill(ablation).name for ablation in fills.ABLATIONS]
    assert given == list(fills.ABLATIONS)
    assert REFERENCES.fill("interchange", strength=0.5).name == "scaled interchange"


def test_rows_of_other_classes_agree_with_a_loop():
    rng = np.random.default_rng(1)
    candidates, classes = rng.integers(0, 3, 11), rng.integers(0, 4, 50)
    places = rng.integers(0, 1000, 50)
    result = fills.foreign_rows(candidates, jnp.asarray(classes), jnp.asarray(places))
    for row, label, place in zip(result, classes, places, strict=True):
        others = [i for i, c in enumerate(candidates) if c != label]
        assert row == others[place % len(others)]


def slow_neighbours(classes, size, real):
    places, found = [], []
    for i in range(len(classes)):
        first = i // size * size
        order = [first + (i - first + step) % size for step in range(1, size)]
        good = [j for j in order if classes[j] != classes[i] and real[i] and real[j]]
        places.append(good[0] if good else i)
        found.append(float(bool(good)))
    return places, found


@pytest.mark.parametrize("size", [2, 4, 8, 16])
@pytest.mark.parametrize("padding", [0, 3])
def test_neighbours_agree_with_a_loop(size, padding):
    classes = np.array([0, 0, 1, 2, 2, 2, 2, 2, 1, 1, 1, 0, 2, 0, 0, 0])
    real = np.arange(16) < 16 - padding
    given = jnp.asarray(real.astype(np.float32)) if padding else None
    places, found = fills.foreign_neighbours(jnp.asarray(classes), group=size, real=given)
    expected = slow_neighbours(classes, size, real)
    assert (places.tolist(), found.tolist()) == expected


def test_a_step_split_over_devices_takes_the_same_neighbours():
    rng = np.random.default_rng(2)
    classes = jnp.asarray(rng.integers(0, 3, 16))
    features = jnp.asarray(rng.normal(size=(16, 2, 2, 5)), jnp.float32)
    means = jnp.asarray(rng.normal(size=5), jnp.float32)
    masks = jnp.asarray(rng.integers(0, 2, (16, 5)), jnp.float32)
    strength = jnp.asarray(rng.uniform(size=16), jnp.float32)

    def step(classes, features, masks, strength):
        places, found = fills.foreign_neighbours(classes, group=2)
        values = fills.blend({"a": means}, fills.take({"a": features}, places), strength)
        gates = fills.fill_closed({"a": masks}, values)
        return gate(features, gates["a"]), found

    def on(num_devices):
        mesh = make_mesh(jax.devices()[:num_devices])
        specs = {"in_specs": P(AXIS), "out_specs": P(AXIS), "check_vma": False}
        return jax.jit(jax.shard_map(step, mesh=mesh, **specs))(classes, features, masks, strength)

    for one, eight in zip(on(1), on(8), strict=True):
        np.testing.assert_allclose(one, eight, rtol=1e-6)


def test_what_cannot_be_filled_is_one_sentence():
    with pytest.raises(InputError, match=r"'median'.*zero, mean, interchange"):
        REFERENCES.fill("median")
    with pytest.raises(InputError, match="only an interchange has one"):
        REFERENCES.fill("mean", strength=0.5)
    with pytest.raises(InputError, match="all predicted as class 1"):
        REFERENCES._replace(classes=np.array([1, 1, 1])).fill("interchange")
    with pytest.raises(InputError, match=r"groups of 4.* 6 images"):
        fills.foreign_neighbours(jnp.zeros(6, int), group=4)
