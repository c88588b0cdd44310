"""What surrounds a Linen module: preprocessing, types, training on several devices."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec as P

from jaxpath import targets
from jaxpath.devices.mesh import AXIS, make_mesh
from jaxpath.targets.linen import normalize
from jaxpath.types import InputError, Preprocessing


def test_normalisation_subtracts_the_mean_and_divides_by_the_deviation():
    preprocessing = Preprocessing(None, (1, 1), mean=(0.5, 0.25), std=(0.5, 0.125))
    # By hand: (0 - 0.5) / 0.5 and (1 - 0.25) / 0.125.
    result = normalize(jnp.array([[[[0, 255]]]], jnp.uint8), preprocessing)
    np.testing.assert_allclose(result, [[[[-1, 6]]]], rtol=1e-6)


def test_a_size_of_ones_own_replaces_the_resize_and_the_crop():
    photographs = targets.make_preprocessing()
    assert (photographs.resize, photographs.crop) == (256, (224, 224))
    assert targets.resnet18(image_size=28, channels=1).preprocessing == targets.make_preprocessing(28, 1)
    assert targets.vgg11(image_size=(20, 30)).preprocessing.crop == (20, 30)
    assert targets.resnet20().preprocessing == targets.make_preprocessing(32)
    assert targets.make_preprocessing(32).resize is None
    assert targets.make_preprocessing(224) == photographs
    sizes = {96: None, 112: 128, 160: 183, (160, 160): 183, 299: 342, (224, 160): None}
    assert {size: targets.make_preprocessing(size).resize for size in sizes} == sizes


@pytest.mark.parametrize("options", [{"image_size": 0}, {"image_size": (8, -1)}, {"channels": 0}])
def test_sizes_that_are_not_positive_are_refused(options):
    with pytest.raises(InputError, match="expected a positive side"):
        targets.resnet8(**options)


def test_bfloat16_is_accepted_by_name_and_by_type_and_others_are_refused():
    assert targets.compute_dtype("bfloat16") == targets.compute_dtype(jnp.bfloat16)
    for wrong in ("float16", "int8", "half a float"):
        with pytest.raises(InputError, match="'float32' or 'bfloat16'"):
            targets.resnet8(dtype=wrong)


@pytest.fixture(scope="module")
def trained():
    """(target, params, images, params after one training pass)."""
    target = targets.resnet8(image_size=8, num_classes=3)
    params = target.init(jax.random.key(0))
    images = jax.random.normal(jax.random.key(1), (4, 8, 8, 3))
    return target, params, images, jax.jit(target.train_apply)(params, images, key=jax.random.key(2))[1]


def test_batch_statistics_are_averaged_over_the_devices(trained):
    target, params, images, whole = trained

    def train(params, images):
        return target.train_apply(params, images, key=jax.random.key(2), axis_name=AXIS)[1]

    mesh = make_mesh(jax.devices()[:2])
    train = jax.shard_map(train, mesh=mesh, in_specs=(P(), P(AXIS)), out_specs=P(), check_vma=False)
    split = jax.jit(train)(params, images)
    jax.tree.map(partial(np.testing.assert_allclose, rtol=1e-4, atol=1e-5), split, whole)


def test_running_statistics_move_a_tenth_of_the_way_to_the_batchs(trained):
    _, params, images, updated = trained
    stem = np.asarray(params["params"]["conv1"]["kernel"], np.float64)
    padded = np.pad(np.asarray(images, np.float64), ((0, 0), (1, 1), (1, 1), (0, 0)))
    outputs = sum(padded[:, i : i + 8, j : j + 8] @ stem[i, j] for i in range(3) for j in range(3))
    result = updated["batch_stats"]["bn1"]
    np.testing.assert_allclose(result["mean"], 0.1 * outputs.mean(axis=(0, 1, 2)), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(result["var"], 0.9 + 0.1 * outputs.var(axis=(0, 1, 2)), rtol=1e-4)
