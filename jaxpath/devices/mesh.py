"""Where arrays live: batches are split over the devices, everything else is on all of them."""

from collections.abc import Sequence
from typing import Any

import jax
import numpy as np
from jax import Array
from jax.sharding import AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from jaxpath.types import HostBatch, InputError

AXIS = "data"
"""Name of the mesh axis over which batches are split: the axis of every ``lax.pmean``."""

POSITION = "position"
"""Entry that :func:`shard_batch` adds: each example's place in the batch of all processes."""

_INT32 = np.iinfo(np.int32)


def make_mesh(devices: Sequence[jax.Device] | None = None) -> Mesh:
    """Returns the one-dimensional mesh of ``devices``, all devices of all processes by default.

    >>> make_mesh(jax.devices()[:1]).size
    1
    """
    devices = jax.devices() if devices is None else list(devices)
    # Under Explicit axes, which are the default, sharding becomes part of every array's type.
    return Mesh(np.asarray(devices), (AXIS,), axis_types=(AxisType.Auto,))


def check_batch_size(batch_size: int, mesh: Mesh) -> None:
    """Raises an error unless a global batch of ``batch_size`` images divides evenly over ``mesh``.

    Raises:
        InputError: The batch size is below one or not a multiple of the number of devices.
    """
    if batch_size < 1 or batch_size % mesh.size:
        below = batch_size // mesh.size * mesh.size
        near = f"{below} or {below + mesh.size}" if below > 0 else f"{mesh.size}"
        raise InputError(
            f"the batch size is {batch_size}, but it must be a multiple of the {mesh.size} devices "
            f"that share a batch; take {near}"
        )


def serial_dispatch(mesh: Mesh) -> bool:
    """Whether each step must end before the next starts.

    Several virtual CPU devices share one pool of threads: with two steps under way, the devices of
    one can take every thread while they wait in a collective for the devices of the other.
    """
    return mesh.size > 1 and mesh.devices.flat[0].platform == "cpu"


def replicate(tree: Any, mesh: Mesh) -> Any:
    """Returns ``tree`` with every array on every device of ``mesh``.

    An array that is already on one of the devices is not copied there: donating the result to a
    step also deletes the original.
    """
    sharding = NamedSharding(mesh, P())

    def put(leaf):
        if not jax.dtypes.issubdtype(getattr(leaf, "dtype", None), jax.dtypes.prng_key):
            return jax.device_put(leaf, sharding)
        # device_put sends typed keys to this process's devices only.
        data = jax.device_put(jax.random.key_data(leaf), sharding)
        return jax.random.wrap_key_data(data, impl=jax.random.key_impl(leaf))

    return jax.tree.map(put, tree)


def shard_batch(batch: HostBatch, mesh: Mesh) -> dict[str, Array]:
    """Puts this process's part of a batch on its devices.

    Args:
        batch: Arrays [b, ...] with one leading axis, such as ``image`` [b, H, W, C], ``label`` [b]
            and ``weight`` [b]. 64-bit numbers become 32-bit ones.
        mesh: The devices that share the batch.

    Returns:
        The same names with arrays [B, ...], b times the number of processes, split over
        :data:`AXIS`, and ``position`` [B]: process p of P reads every P-th example from the p-th
        on, so its j-th example is number p + P j of the whole batch, however many processes there
        are.

    Raises:
        InputError: The leading axes differ, do not divide over the devices, or an integer is too
            large for 32 bits.
    """
    local = {name: _to_32_bits(name, np.asarray(values)) for name, values in batch.items()}
    size = _common_size(local)
    num_local = len(mesh.local_devices)
    if size % num_local:
        check_batch_size(size * (mesh.size // num_local), mesh)
    local[POSITION] = (jax.process_index() + jax.process_count() * np.arange(size)).astype(np.int32)
    sharding = NamedSharding(mesh, P(AXIS))
    return {name: jax.make_array_from_process_local_data(sharding, values) for name, values in local.items()}


def _common_size(batch: HostBatch) -> int:
    sizes = {name: values.shape[0] if values.ndim else 0 for name, values in batch.items()}
    if len(set(sizes.values())) != 1 or 0 in sizes.values():
        raise InputError(
            f"the leading axes of the batch's arrays are {sizes}, but each must hold one entry per example; "
            "give arrays of one length, above 0"
        )
    return next(iter(sizes.values()))


def _to_32_bits(name: str, values: np.ndarray) -> np.ndarray:
    """Narrows explicitly: JAX would do it by itself, wrapping large integers silently."""
    if values.dtype == np.float64:
        return values.astype(np.float32)
    if values.dtype not in (np.int64, np.uint64):
        return values
    if values.size and not _INT32.min <= values.min() <= values.max() <= _INT32.max:
        raise InputError(
            f'batch["{name}"] holds integers from {values.min()} to {values.max()}, but devices take 32-bit '
            f"integers ({_INT32.min} to {_INT32.max}); number the examples from 0"
        )
    return values.astype(np.int32)
