"""Passes over a data set, and whatever is computed of each of its images in one."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np
from jax import Array
from jax.sharding import Mesh

from jaxpath import data
from jaxpath.devices import collect, make_eval_step, replicate
from jaxpath.metrics.session import Passes, Session
from jaxpath.types import Batch, HostBatch


def per_image(
    fn: Callable[[Any, Batch], Mapping[str, Array]],
    params: Any,
    passes: Passes,
    *,
    mesh: Mesh,
) -> dict[str, np.ndarray]:
    """Runs ``fn(params, batch) -> {name: [b, ...]}`` over a data set, compiled for all devices.

    Args:
        fn: What is computed of each image; called with one device's part of a batch.
        params: Arrays that it uses, an argument of the program.
        passes: The data set.
        mesh: The devices.

    Returns:
        Name -> [N_images, ...] in the order of the data set, without padding, and besides ``indices``
        (place in the data set: not all are there if some could not be read) and ``labels``.
    """

    def evaluate(params: Any, _: Any, batch: Batch) -> dict[str, Array]:
        return {"indices": batch["index"], "labels": batch["label"], **fn(params, batch)}

    return collect(make_eval_step(evaluate, mesh), passes(), replicate(params, mesh), {}, mesh=mesh)


def source_passes(
    session: Session,
    source: data.Source,
    *,
    title: str = "",
    reading: data.Reading = data.READING,
) -> Passes:
    """Passes over ``source`` in its order, its images resized and cropped for the target.

    Args:
        session: Says for which target, in batches of which size.
        source: The images.
        title: For the session's progress bar.
        reading: Workers, threads, and what to do with files that are no images.
    """

    def one_pass() -> Iterable[HostBatch]:
        batches = data.eval_batches(
            source,
            batch_size=session.batch_size,
            preprocessing=session.target.preprocessing,
            reading=reading,
        )
        return session.watch(title, -(-len(source) // session.batch_size), batches)

    return one_pass


def array_passes(session: Session, *, title: str = "", **arrays: np.ndarray) -> Passes:
    """Passes over arrays with one leading axis as batches: with ``index``, and ``weight`` 0 for padding.

    Every process holds the same arrays, and is given its part of each batch.
    """
    count, size = len(next(iter(arrays.values()))), session.batch_size
    shard = data.Shard.of_this_process()

    def one_pass() -> Iterator[HostBatch]:
        for start in range(0, count, size):
            places = np.arange(start, start + size)[shard.process :: shard.processes]
            real = places < count
            batch = {name: values[np.where(real, places, 0)] for name, values in arrays.items()}
            yield {**batch, "index": np.where(real, places, -1), "weight": real.astype(np.float32)}

    return lambda: session.watch(title, -(-count // size), one_pass())
