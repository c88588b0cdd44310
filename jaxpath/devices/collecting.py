"""Per-example results of a whole data set on the host, whatever the devices and the padding."""

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

from jaxpath import finite
from jaxpath.compiling import jit, platform_of
from jaxpath.devices.mesh import AXIS, POSITION, serial_dispatch, shard_batch
from jaxpath.types import Batch, EvalStep, HostBatch, Params

_FIRST_PAUSE, _LONGEST_PAUSE = 1e-4, 0.05
"""Seconds between two looks at whether a program has ended."""

_LONGER = 1.05
"""Factor from a pause to the next: what is waited in vain is a twentieth of what the program takes."""


def make_eval_step(fn: EvalStep, mesh: Mesh) -> EvalStep:
    """Compiles ``fn(params, frozen, batch) -> {name: [b, ...]}`` over the devices of ``mesh``.

    Nothing is reduced: the result holds one entry per example [B, ...], split over the devices.
    :func:`collect` drops the padding and fetches it.
    """
    sharded = jax.shard_map(fn, mesh=mesh, in_specs=(P(), P(), P(AXIS)), out_specs=P(AXIS), check_vma=False)
    return jit(sharded, platform=platform_of(mesh))


def collect(
    eval_step: EvalStep,
    batches: Iterable[HostBatch],
    params: Params,
    frozen: Any,
    *,
    mesh: Mesh,
    undefined: Collection[str] = (),
    name: Callable[[int], str] | None = None,
) -> dict[str, np.ndarray]:
    """Runs ``eval_step`` over ``batches`` and returns its results for every real example.

    Padding, examples of ``weight`` 0, is dropped, and the examples come back in the order of the
    data set. A mean of these arrays is therefore exact: it depends neither on the size of the last
    batch nor on the number of devices or processes.

    Args:
        eval_step: From :func:`make_eval_step`.
        batches: This process's batches, with a ``weight`` [b] where there is padding; the same
            number of batches of the same size on every process.
        params: First argument of ``eval_step``.
        frozen: Second argument of ``eval_step``.
        mesh: The devices of ``eval_step``.
        undefined: Names of the results in which NaN is a value.
        name: What to call the example of an ``index`` [b] of the batches; None: image and its index.

    Returns:
        Name -> array [N, ...] over all N real examples of all processes, alike on every process;
        empty if there are no batches. :func:`jaxpath.finite.flags` are looked at and left out.

    Raises:
        InputError: A result of a real example is not finite, or a flag says so of what it was made from.
    """

    def examples(batch: Batch, results: Mapping[str, jax.Array]) -> dict[str, np.ndarray]:
        _wait(results)
        order = _real_examples(batch)

        def called(row: int) -> str:
            if "index" not in batch:
                return f"example {row}"
            index = int(_fetch(batch["index"])[order[row]])
            return f"image {index}" if name is None else name(index)

        fetched = {key: _fetch(values)[order] for key, values in results.items()}
        return finite.checked(fetched, undefined=undefined, name=called)

    parts: list[dict[str, np.ndarray]] = []
    running = None
    for host_batch in batches:
        batch = shard_batch(host_batch, mesh)
        results = eval_step(params, frozen, batch)
        if serial_dispatch(mesh):
            _wait(results)
        # The batch before is fetched while this one runs.
        if running is not None:
            parts.append(examples(*running))
        running = batch, results
    if running is None:
        return {}
    parts.append(examples(*running))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def _wait(results: Mapping[str, jax.Array]) -> None:
    """Waits until the program has ended; JAX's own wait hears no Ctrl-C, and a search takes minutes."""
    pause = _FIRST_PAUSE
    while not all(values.is_ready() for values in results.values()):  # type: ignore[attr-defined]
        time.sleep(pause)
        pause = min(_LONGER * pause, _LONGEST_PAUSE)


def _real_examples(batch: Batch) -> np.ndarray:
    """Rows of the examples that are no padding, in the order of the data set."""
    order = np.argsort(_fetch(batch[POSITION]), kind="stable")
    if "weight" in batch:
        order = order[_fetch(batch["weight"])[order] != 0]
    return order


def _fetch(values: jax.Array) -> np.ndarray:
    if values.is_fully_addressable:
        return np.asarray(values)
    return np.asarray(multihost_utils.process_allgather(values, tiled=True))
