"""The part behind a frozen trunk in two stages: NumPy's values, and the same as the part in one piece."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from jaxpath import Taps, targets
from jaxpath.layers import relu
from jaxpath.targets.linen import batch_norm, from_linen
from jaxpath.targets.stages import Staged, Stages
from jaxpath.types import Given, InputError

BATCH = 4
MAKERS = {
    "resnet": lambda: targets.resnet8(num_classes=3, image_size=8, channels=1),
    "vgg": lambda: targets.vgg11(num_classes=3, image_size=32, channels=1, hidden=16, pool_size=2),
    "vgg_gap": lambda: targets.vgg11_gap(num_classes=3, image_size=64, channels=1),
    "lenet": lambda: targets.lenet(num_classes=3, image_size=8, channels=1),
    "competing": lambda: targets.resnet8(num_classes=3, image_size=8, channels=1, competitors=4),
}


def make(name, freeze="trunk"):
    target = MAKERS[name]()
    random = np.random.default_rng(0)
    params = jax.tree.map(
        lambda leaf: leaf + random.uniform(0, 0.2, leaf.shape).astype(np.float32),
        target.init(jax.random.key(0)),
    )
    images = random.integers(0, 256, (BATCH, *target.preprocessing.shape), dtype=np.uint8)
    partition = targets.partition_at(target, freeze)
    return target, params, images, partition


def keys():
    return jax.random.split(jax.random.key(3), BATCH)


def test_a_resnets_head_reads_the_mean_of_the_last_map():
    target, params, images, partition = make("resnet")
    (read,) = jax.jit(Stages(target, partition).read)(params, images)
    last = np.asarray(target.apply(params, images).features[partition.site])
    np.testing.assert_allclose(read, last.mean(axis=(1, 2)), rtol=1e-5)

    trained, frozen = partition.separate(params)
    result = jax.jit(Stages(target, partition).rest)(trained, frozen, [read], keys())
    dense = params["params"]["linear"]
    np.testing.assert_allclose(
        result.logits, np.asarray(read) @ np.asarray(dense["kernel"]) + np.asarray(dense["bias"]), rtol=1e-5
    )
    assert result.statistics == {}


def test_the_gradient_of_a_head_is_that_of_logistic_regression():
    target, params, images, partition = make("resnet")
    stages, labels = Stages(target, partition), np.array([0, 2, 1, 1])
    trained, frozen = partition.separate(params)
    (read,) = stages.read(params, images)

    def loss(trained):
        logits = stages.rest(trained, frozen, [read], keys()).logits
        return -jax.nn.log_softmax(logits)[np.arange(BATCH), labels].mean()

    gradient = jax.jit(jax.grad(loss))(trained)["params"]["linear"]
    x, dense = np.asarray(read, np.float64), params["params"]["linear"]
    logits = x @ np.asarray(dense["kernel"], np.float64) + np.asarray(dense["bias"])
    odds = np.exp(logits - logits.max(axis=1, keepdims=True))
    difference = odds / odds.sum(axis=1, keepdims=True) - np.eye(3)[labels]
    np.testing.assert_allclose(gradient["kernel"], x.T @ difference / BATCH, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(gradient["bias"], difference.mean(axis=0), rtol=1e-3, atol=1e-5)


def test_a_vggs_head_reads_its_pooled_map_row_by_row():
    target, params, images, partition = make("vgg")
    (read,) = Stages(target, partition).read(params, images)
    last = np.asarray(target.apply(params, images).features[partition.site])  # [B, 2, 2, 512]
    pooled = last.reshape(BATCH, 1, 2, 1, 2, 512).max(axis=(2, 4))
    # Adaptive: one pixel serves all four bins.
    np.testing.assert_array_equal(read, np.tile(pooled, (1, 2, 2, 1)).reshape(BATCH, -1))


def test_a_head_of_one_layer_reads_512_numbers():
    target, params, images, partition = make("vgg_gap")
    (read,) = Stages(target, partition).read(params, images)
    last = np.asarray(target.apply(params, images).features[partition.site])  # [B, 4, 4, 512]
    pooled = last.reshape(BATCH, 2, 2, 2, 2, 512).max(axis=(2, 4))
    np.testing.assert_allclose(read, pooled.mean(axis=(1, 2)), rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "freeze"),
    [
        ("resnet", "trunk"),
        ("resnet", "layer1.0.relu2"),
        ("vgg", "trunk"),
        ("vgg", "classifier.1"),
        ("vgg_gap", "trunk"),
        ("lenet", "trunk"),
        ("competing", "layer2.0.lwta2"),
    ],
)
def test_both_stages_are_the_part_in_one_piece(name, freeze):
    target, params, images, partition = make(name, freeze)
    stages = Stages(target, partition)
    trained, frozen = partition.separate(params)
    whole = stages.entered(trained, frozen, stages.activation(params, images), keys())
    result = stages.rest(trained, frozen, stages.read(params, images), keys())
    for ours, expected in zip(jax.tree.leaves(result), jax.tree.leaves(whole), strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-6)


def test_behind_a_site_batch_statistics_are_those_of_what_the_frozen_part_says():
    target, params, images, partition = make("resnet", "layer2.0.relu2")
    stages = Stages(target, partition)
    trained, frozen = partition.separate(params)
    result = stages.entered(trained, frozen, stages.activation(params, images), keys())
    assert result.statistics["batch_stats"].keys() == {"layer3_0"}

    # By hand: the first convolution of layer3 on the frozen map, its channels' means over batch and places.
    frozen_map = target.apply(params, images).features["004.layer2.0.relu2"]
    kernel = params["params"]["layer3_0"]["conv1"]["kernel"]
    convolved = jax.lax.conv_general_dilated(
        frozen_map, kernel, (2, 2), ((1, 1), (1, 1)), dimension_numbers=("NHWC", "HWIO", "NHWC")
    )
    before = np.asarray(params["batch_stats"]["layer3_0"]["bn1"]["mean"])
    expected = 0.9 * before + 0.1 * np.asarray(convolved).mean(axis=(0, 1, 2))
    np.testing.assert_allclose(
        result.statistics["batch_stats"]["layer3_0"]["bn1"]["mean"], expected, rtol=1e-4, atol=1e-6
    )


def test_what_is_read_once_per_image_is_not_drawn():
    """Dropout is behind the trunk: other keys, other logits, from the same features."""
    target, params, images, partition = make("vgg")
    stages = Stages(target, partition)
    trained, frozen = partition.separate(params)
    read = stages.read(params, images)
    one = stages.rest(trained, frozen, read, keys()).logits
    other = stages.rest(trained, frozen, read, jax.random.split(jax.random.key(4), BATCH)).logits
    assert np.any(one != other)


class NormedFirst(nn.Module):
    """A batch normalisation right behind the only site."""

    axis_name: str | None = None

    @nn.compact
    def __call__(self, images, gates=None, *, train=False):
        taps = Taps(gates)
        x = taps("relu", relu(nn.Conv(5, (3, 3), name="conv")(images)))
        x = batch_norm(train=train, axis_name=self.axis_name, dtype=jnp.float32, name="norm")(x)
        return nn.Dense(3, name="dense")(x.mean(axis=(1, 2))), taps.features


def test_statistics_of_a_batch_are_no_feature_of_an_image():
    preprocessing = targets.make_preprocessing((4, 4), 1)
    target = from_linen(NormedFirst(), name="normed", num_classes=3, preprocessing=preprocessing)
    stages = Stages(target, targets.partition_at(target, "trunk"))
    params = target.init(jax.random.key(0))
    with pytest.raises(InputError, match="mixes images before it is trained"):
        stages.read(params, np.zeros((2, 4, 4, 1), np.uint8))


def test_a_given_value_replaces_an_activation_and_nothing_before_counts():
    target, params, images, partition = make("resnet")
    features = target.apply(params, images).features
    value = jnp.asarray(features[partition.site]) + 1
    output = target.apply(params, 255 - images, {partition.site: Given(value)})
    dense = params["params"]["linear"]
    expected = np.asarray(value).mean(axis=(1, 2)) @ np.asarray(dense["kernel"]) + np.asarray(dense["bias"])
    np.testing.assert_allclose(output.logits, expected, rtol=1e-5)
    np.testing.assert_array_equal(output.features[partition.site], value)
    with pytest.raises(InputError, match=r"value for site .* has shape \(4, 2\); expected the activation's"):
        target.apply(params, images, {partition.site: Given(value[:, 0, :2, 0])})


def test_what_is_only_moved_is_not_kept_twice():
    """Both a map and its windows are read: the windows are cut again, a sum of it is kept as well."""

    def function(trained, frozen, images, keys):
        hidden = images * frozen["scale"]
        windows = jax.lax.slice(hidden, (0, 1), (len(hidden), 3)).reshape(-1, 2, 1)
        return trained["a"] * hidden, trained["b"] * windows, trained["a"] * hidden.sum(axis=1)

    staged = Staged(function, jax.ShapeDtypeStruct((4,), jnp.float32), name="a toy")
    trained, frozen = {"a": jnp.array(2.0), "b": jnp.array(3.0)}, {"scale": jnp.array(10.0)}
    images = jnp.arange(8.0).reshape(2, 4)
    read = staged.read(trained, frozen, images)
    assert sorted(values.shape for values in read) == [(2,), (2, 4)]
    whole, windows, sums = staged.rest(trained, frozen, read, jax.random.split(jax.random.key(0), 2))
    np.testing.assert_array_equal(whole, 20 * images)
    np.testing.assert_array_equal(windows[..., 0], 30 * images[:, 1:3])
    np.testing.assert_array_equal(sums, [120, 440])
