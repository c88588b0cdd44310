"""Per-example results of a whole data set on the host, whatever the devices and the padding."""

from collections.abc import Iterable, Mapping
from typing import Any

import jax
import numpy as np
from jax.experimental import multihost_utils
from jax.sharding import Mesh

from jaxpath.training.sharding import POSITION, shard_batch
from jaxpath.training.step import EvalStep
from jaxpath.types import Params


def collect(
    eval_step: EvalStep,
    batches: Iterable[Mapping[str, np.ndarray]],
    params: Params,
    frozen: Any,
    *,
    mesh: Mesh,
) -> dict[str, np.ndarray]:
    """Runs ``eval_step`` over ``batches`` and returns its results for every real example.

    Padding, examples of ``weight`` 0, is dropped, and the examples come back in the order of the
    data set. A mean of these arrays is therefore exact: it depends neither on the size of the last
    batch nor on the number of devices or processes.

    Args:
        eval_step: From :func:`~jaxpath.training.step.make_eval_step`.
        batches: This process's batches, with a ``weight`` [b] where there is padding; the same
            number of batches of the same size on every process.
        params: First argument of ``eval_step``.
        frozen: Second argument of ``eval_step``.
        mesh: The devices of ``eval_step``.

    Returns:
        Name -> array [N, ...] over all N real examples of all processes, alike on every process;
        empty if there are no batches.
    """
    parts: list[dict[str, np.ndarray]] = []
    running = None
    for host_batch in batches:
        batch = shard_batch(host_batch, mesh)
        results = eval_step(params, frozen, batch)
        if serial_dispatch(mesh):
            jax.block_until_ready(results)
        # The batch before is fetched while this one runs.
        if running is not None:
            parts.append(_real_examples(*running))
        running = batch, results
    if running is None:
        return {}
    parts.append(_real_examples(*running))
    return {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}


def serial_dispatch(mesh: Mesh) -> bool:
    """Whether each step must end before the next starts.

    Several virtual CPU devices share one pool of threads: with two steps under way, the devices of
    one can take every thread while they wait in a collective for the devices of the other.
    """
    return mesh.size > 1 and mesh.devices.flat[0].platform == "cpu"


def _real_examples(batch: Mapping[str, jax.Array], results: Mapping[str, jax.Array]) -> dict[str, np.ndarray]:
    order = np.argsort(_fetch(batch[POSITION]), kind="stable")
    if "weight" in batch:
        order = order[_fetch(batch["weight"])[order] != 0]
    return {name: _fetch(values)[order] for name, values in results.items()}


def _fetch(values: jax.Array) -> np.ndarray:
    if values.is_fully_addressable:
        return np.asarray(values)
    return np.asarray(multihost_utils.process_allgather(values, tiled=True))
