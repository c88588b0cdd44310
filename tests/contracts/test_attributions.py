"""What every attribution promises, one suite over all of them; a new one enters ``attributions.names()``."""

from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec as P

from jaxpath import attributions, devices, targets
from jaxpath.devices.mesh import AXIS
from jaxpath.targets.resnet import BasicBlock, ResNet

BATCH, NUM_CLASSES = 2, 3
OPTIONS = {"integrated_gradients": {"steps": 3}, "smoothgrad": {"samples": 2}}
each_attribution = pytest.mark.parametrize("name", attributions.names())


@cache
def make_target():
    """A ResNet of one narrow block."""
    module = ResNet(BasicBlock, (1,), NUM_CLASSES, width=4, imagenet_stem=False)
    preprocessing = targets.make_preprocessing((8, 6))
    target = targets.from_linen(module, name="tiny", num_classes=NUM_CLASSES, preprocessing=preprocessing)
    return target, target.init(jax.random.key(0))


def make_images() -> np.ndarray:
    return np.random.default_rng(2).integers(0, 256, (BATCH, 8, 6, 3), dtype=np.uint8)


@cache
def compiled(name: str):
    return jax.jit(attributions.make_attribution(name, make_target()[0], **OPTIONS.get(name, {})))


def attribute(name, *, images=None, labels=(0, 1), seed=0):
    images = make_images() if images is None else images
    maps = compiled(name)(make_target()[1], images, jnp.asarray(labels), key=jax.random.key(seed))
    return np.asarray(maps)


def assert_close(result, expected):
    np.testing.assert_allclose(result, expected, rtol=1e-3, atol=1e-4 * np.abs(expected).max())


@each_attribution
def test_maps_have_the_size_of_the_image_and_say_something(name):
    maps = attribute(name)
    assert maps.shape == (BATCH, 8, 6) and maps.dtype == np.float32
    assert np.isfinite(maps).all()
    assert (np.abs(maps).max(axis=(1, 2)) > 0).any()


@each_attribution
def test_a_batch_gives_what_its_images_give_alone_and_classes_matter(name):
    together = attribute(name, labels=(0, 1))
    swapped = attribute(name, images=make_images()[::-1].copy(), labels=(1, 0))
    assert_close(swapped[::-1], together)
    first = attribute(name, images=np.repeat(make_images()[:1], BATCH, axis=0), labels=(0, 2))
    assert_close(first[0], together[0])
    assert np.abs(first[1] - first[0]).max() > 1e-3 * np.abs(first).max()


@each_attribution
def test_only_smoothgrad_changes_with_the_key(name):
    assert np.any(attribute(name, seed=0) != attribute(name, seed=1)) == (name == "smoothgrad")


@pytest.mark.parametrize("name", ["guided_backprop", "smoothgrad", "gradcam_pp", "lrp_epsilon"])
def test_two_devices_find_in_normalised_images_what_one_finds_in_raw_ones(name):
    target, params = make_target()
    run = attributions.make_attribution(name, target, **OPTIONS.get(name, {}))
    mesh = devices.make_mesh(jax.devices()[:2])

    def on_part(params, images, labels):
        return run(params, images, labels, key=jax.random.key(0))

    parts = jax.shard_map(
        on_part, mesh=mesh, in_specs=(P(), P(AXIS), P(AXIS)), out_specs=P(AXIS), check_vma=False
    )
    floats = targets.normalize(jnp.asarray(make_images()), target.preprocessing)
    assert_close(jax.jit(parts)(params, floats, jnp.array([0, 1])), attribute(name))
