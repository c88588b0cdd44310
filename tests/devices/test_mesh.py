import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxpath.devices import AXIS, check_batch_size, make_mesh, replicate, shard_batch
from jaxpath.types import InputError


def test_the_mesh_has_one_axis_over_every_device():
    mesh = make_mesh()
    assert mesh.axis_names == (AXIS,)
    assert list(mesh.devices) == jax.devices()


def test_each_device_holds_its_consecutive_part_of_the_batch(eight_devices):
    batch = shard_batch({"label": np.arange(16, dtype=np.int32)}, eight_devices)
    parts = [np.asarray(shard.data) for shard in batch["label"].addressable_shards]
    np.testing.assert_array_equal(np.stack(parts), np.arange(16).reshape(8, 2))
    np.testing.assert_array_equal(batch["position"], np.arange(16))


def test_bytes_stay_bytes_and_64_bits_become_32(one_device):
    batch = shard_batch(
        {"image": np.zeros((2, 1, 1, 3), np.uint8), "index": np.array([5, 6]), "x": np.array([0.5, 1.5])},
        one_device,
    )
    assert {name: values.dtype for name, values in batch.items()} == {
        "image": jnp.uint8,
        "index": jnp.int32,
        "x": jnp.float32,
        "position": jnp.int32,
    }
    np.testing.assert_array_equal(batch["index"], [5, 6])


def test_an_integer_too_large_for_32_bits_is_refused(one_device):
    with pytest.raises(InputError, match="2147483648"):
        shard_batch({"index": np.array([0, 2**31])}, one_device)


@pytest.mark.parametrize(("size", "advice"), [(30, "24 or 32"), (3, "take 8"), (0, "take 8")])
def test_a_batch_that_does_not_divide_over_the_devices_is_refused(size, advice, eight_devices):
    with pytest.raises(InputError, match=f"batch size is {size}.*8 devices.*{advice}"):
        check_batch_size(size, eight_devices)


def test_sharding_checks_the_size_too(eight_devices):
    check_batch_size(32, eight_devices)
    with pytest.raises(InputError, match="batch size is 12"):
        shard_batch({"label": np.zeros(12, np.int32)}, eight_devices)
    with pytest.raises(InputError, match="leading axes"):
        shard_batch({"label": np.zeros(8, np.int32), "weight": np.zeros(16, np.float32)}, eight_devices)


def test_replicating_puts_the_whole_array_on_every_device(eight_devices):
    tree = replicate({"a": np.arange(3.0, dtype=np.float32), "key": jax.random.key(1)}, eight_devices)
    assert [shard.data.shape for shard in tree["a"].addressable_shards] == [(3,)] * 8
    assert tree["key"].is_fully_replicated
