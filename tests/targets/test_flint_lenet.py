"""LeNet against the layers of its source, and its dropout."""

import jax
import jax.numpy as jnp
import numpy as np
from jax.sharding import PartitionSpec as P

from jaxpath import targets
from jaxpath.devices.mesh import AXIS, make_mesh

TARGET = targets.lenet(image_size=8, num_classes=3)
PARAMS = jax.device_get(TARGET.init(jax.random.key(0)))
IMAGES = np.random.default_rng(0).integers(0, 256, (8, 8, 8, 1), dtype=np.uint8)


def convolve(x, layer):
    x = np.pad(x, ((0, 0), (1, 1), (1, 1), (0, 0)))
    height, width = x.shape[1] - 2, x.shape[2] - 2
    kernel = layer["kernel"]
    taps = (x[:, i : i + height, j : j + width] @ kernel[i, j] for i in range(3) for j in range(3))
    return sum(taps) + layer["bias"]


def by_hand(images, drop_map=1.0, drop_hidden=1.0):
    """conv, ReLU, conv, max pool, dropout, ReLU, dense, ReLU, dropout, dense: in this order."""
    p = PARAMS["params"]
    x = np.maximum(convolve(images / 255.0, p["features_0"]), 0)
    x = convolve(x, p["features_2"]).reshape(len(images), 4, 2, 4, 2, 32).max(axis=(2, 4))
    tap = np.maximum(x * drop_map, 0)
    hidden = tap.reshape(len(images), -1) @ p["classifier_0"]["kernel"] + p["classifier_0"]["bias"]
    hidden = np.maximum(hidden, 0) * drop_hidden
    return tap, hidden @ p["classifier_3"]["kernel"] + p["classifier_3"]["bias"]


def test_it_computes_its_layers_in_the_published_order():
    tap, logits = by_hand(IMAGES)
    output = TARGET.apply(PARAMS, IMAGES)
    np.testing.assert_allclose(output.features["001.features.5"], tap, atol=1e-5)
    np.testing.assert_allclose(output.logits, logits, atol=1e-5)


def test_in_training_the_tap_holds_what_the_dropout_left_between_pool_and_relu():
    output, updated = TARGET.train_apply(PARAMS, IMAGES, key=jax.random.key(1))
    clean, _ = by_hand(IMAGES)
    tap = np.asarray(output.features["001.features.5"])
    hidden = np.asarray(output.features["002.classifier.1"])
    alive = clean > 1e-3
    ratio = tap[alive] / clean[alive]
    assert set(np.round(ratio, 4)) == {0.0, 2.0}
    assert 0.4 < (ratio > 0).mean() < 0.6
    # Every unit on its own, not channel by channel.
    channel = alive[0].sum(axis=(0, 1)).argmax()
    assert set((tap[0, ..., channel] > 0)[alive[0, ..., channel]]) == {False, True}
    drop_hidden = np.where(hidden > 0, 2.0, 0.0)
    _, logits = by_hand(IMAGES, np.where(clean > 0, tap / np.maximum(clean, 1e-12), 0), drop_hidden)
    np.testing.assert_allclose(output.logits, logits, atol=1e-4)
    jax.tree.map(np.testing.assert_array_equal, updated, PARAMS)


def test_a_key_per_example_draws_the_same_dropout_on_any_number_of_devices():
    keys = jax.random.split(jax.random.key(2), 8)
    whole = TARGET.train_apply(PARAMS, IMAGES, key=keys)[0]

    def part(images, keys):
        return TARGET.train_apply(PARAMS, images, key=keys, axis_name=AXIS)[0].logits

    mesh = make_mesh(jax.devices()[:4])
    spec = P(AXIS)
    run = jax.shard_map(part, mesh=mesh, in_specs=(spec, spec), out_specs=spec, check_vma=False)
    np.testing.assert_allclose(jax.jit(run)(IMAGES, keys), whole.logits, atol=1e-6)
    repeated = TARGET.train_apply(PARAMS, jnp.asarray(IMAGES[::-1]), key=keys[::-1])[0]
    np.testing.assert_allclose(repeated.logits[::-1], whole.logits, atol=1e-6)
