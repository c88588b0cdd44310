"""What something frozen says of images, computed once per view of each and kept in the folder of a run."""

import hashlib
import json
import math
import shutil
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import Array

from jaxpath import caches, data, metrics
from jaxpath.runs.run import Run, say
from jaxpath.runs.study import images_at_once, open_session
from jaxpath.types import Batch, HostBatch, InputError, Params, Target

_MOST_BYTES = 3 * 2**30
"""Of features, which are mapped into memory."""

_VERSION = 1
"""Of the file that keeps features."""

Read = Callable[[Any, Batch], Mapping[str, Array]]
"""``read(params, batch) -> {name: [b, ...]}``."""


class Views(NamedTuple):
    """Fixed views of each image.

    Attributes:
        number: How many.
        augment: The augmentation that draws them.
        batch_size: Of the training on them, over all devices.
    """

    number: int
    augment: str
    batch_size: int


def feature_batches(
    target: Target,
    params: Any,
    source: data.Source,
    read: Read,
    views: Views,
    *,
    run: Run,
) -> data.ArrayBatches:
    """Endless batches of what ``read`` says of fixed views of each image, for training.

    Args:
        target: The classifier; says how images are prepared.
        params: What ``read`` is given.
        source: The training images.
        read: What is computed of each view.
        views: Of each image.
        run: Its folder, in which all is kept, and its seed.

    Raises:
        InputError: It would take too much memory.
    """
    _check_memory(target, params, read, len(source) * views.number)
    arrays = _features(target, params, source, read, views, run=run)
    return data.ArrayBatches(arrays, num_views=views.number, batch_size=views.batch_size, seed=run.seed)


def _features(
    target: Target, params: Any, source: data.Source, read: Read, views: Views, *, run: Run
) -> dict[str, np.ndarray]:
    """What ``read`` says of every view of every image, and ``label``; rows of ArrayBatches."""
    session = open_session(target, params, batch_size=images_at_once(target))
    rows = data.Subset(source, np.tile(np.arange(len(source)), views.number))
    many = f"{views.number} view{'s' if views.number > 1 else ''} of each"

    def passes() -> Iterable[HostBatch]:
        say(f"features: {len(source)} images, {many}")
        return data.eval_batches(
            rows,
            batch_size=session.batch_size,
            preprocessing=target.preprocessing,
            augment=views.augment,
            seed=run.seed,
        )

    def labelled(results: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
        return {("label" if n == "labels" else n): v for n, v in results.items() if n != "indices"}

    # Several processes have to compute together, or none.
    path = _kept_in(run) if jax.process_count() == 1 else None
    if path is None:
        return labelled(metrics.per_image(read, params, passes, mesh=session.mesh))
    folder = path.with_suffix(".partial")

    def make() -> dict[str, np.ndarray]:
        rows_of_batches = map(labelled, metrics.per_batch(read, params, passes, mesh=session.mesh))
        return _write_down(folder, rows_of_batches, len(rows))

    def write(path: Path, arrays: Mapping[str, Any]) -> None:
        with path.open("wb") as file:
            np.savez(file, **arrays)
        shutil.rmtree(folder, ignore_errors=True)

    return caches.kept(path, make, read=caches.map_arrays, write=write)


def _check_memory(target: Target, params: Params, read: Read, rows: int) -> None:
    """Raises an error if the features of so many views would not fit."""
    image = jax.ShapeDtypeStruct((1, *target.preprocessing.shape), np.uint8)
    shapes = jax.eval_shape(read, params, {"image": image}).values()
    size = rows * sum(math.prod(one.shape) * one.dtype.itemsize for one in shapes)
    if size > _MOST_BYTES:
        raise InputError(
            f"what the trained part of {target.name} reads of {rows} views of images takes "
            f"{size / 2**30:.1f} GiB; expected at most {_MOST_BYTES // 2**30}: ask for fewer --views, or "
            "leave them out"
        )


def _kept_in(run: Run) -> Path | None:
    """Where the run's folder keeps features, by all that decides them."""
    key = hashlib.sha256(json.dumps([run.config, run.seed], sort_keys=True).encode()).hexdigest()
    return caches.cache_file("features", key, version=_VERSION, folder=run.out)


def _write_down(
    folder: Path, batches: Iterable[Mapping[str, np.ndarray]], count: int
) -> dict[str, np.ndarray]:
    """The rows of all batches, on the disk: what is computed of one pass need not fit into memory twice."""
    folder.mkdir(parents=True, exist_ok=True)
    arrays: dict[str, Any] = {}
    done = 0
    for batch in batches:
        for name, values in batch.items():
            if name not in arrays:
                shape = (count, *values.shape[1:])
                path = folder / f"{name}.npy"
                arrays[name] = np.lib.format.open_memmap(path, "w+", values.dtype, shape)
            arrays[name][done : done + len(values)] = values
        done += len(next(iter(batch.values())))
    return arrays
