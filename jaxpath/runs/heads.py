"""Training behind a frozen part: what is run once per image, and what each step does."""

import hashlib
import json
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import Array

from jaxpath import caches, data, metrics
from jaxpath.devices import AXIS
from jaxpath.runs.options import ClassifierOptions
from jaxpath.runs.run import Run, say
from jaxpath.runs.study import images_at_once, open_session
from jaxpath.targets.objective import Forward, Trained
from jaxpath.targets.partition import WHOLE, Partition, join_params
from jaxpath.targets.stages import Stages, read_names, read_of
from jaxpath.types import Batch, InputError, Params, Target

_MOST_BYTES = 3 * 2**30
"""Of features in memory; what is computed of one pass is there twice for a moment."""

_VERSION = 1
"""Of the file that keeps features."""


class Feeding(NamedTuple):
    """What a training step is given, and how it runs the classifier on it.

    Attributes:
        batches: Endless, resumable.
        forward: None trains the whole classifier on images.
    """

    batches: data.Batches | data.ArrayBatches
    forward: Forward | None


def feed(
    target: Target,
    params: Params,
    source: data.Source,
    options: ClassifierOptions,
    *,
    partition: Partition,
    run: Run,
) -> Feeding:
    """Batches for a training, of features where the frozen part is run once per view of each image.

    Args:
        target: The classifier.
        params: Its parameters.
        source: The training images.
        options: How it is trained.
        partition: What is frozen.
        run: Its folder, in which features are kept, and its seed.

    Raises:
        InputError: Features would take too much memory.
    """
    views = options.start.num_views(options.train_augment)
    if views is None:
        images = data.train_batches(
            source,
            batch_size=options.train_batch_size,
            preprocessing=target.preprocessing,
            seed=run.seed,
            augment=options.train_augment,
        )
        return Feeding(images, None if partition == WHOLE else _from_images(target, partition))
    _check_memory(Stages(target, partition), target, params, len(source) * views)
    stages = Stages(target, partition, axis_name=AXIS)
    arrays = _features(target, params, source, stages, Views(views, options.train_augment), run=run)
    batches = data.ArrayBatches(arrays, num_views=views, batch_size=options.train_batch_size, seed=run.seed)

    def forward(trained: Params, frozen: Params, batch: Mapping[str, Array], keys: Array) -> Trained:
        return stages.rest(trained, frozen, read_of(batch), keys)

    return Feeding(batches, forward)


class Views(NamedTuple):
    """Fixed views of each image: how many, and the augmentation that draws them."""

    number: int
    augment: str


def _from_images(target: Target, partition: Partition) -> Forward:
    """The frozen part at each step, and the trained one on what it says."""
    stages = Stages(target, partition, axis_name=AXIS)

    def forward(trained: Params, frozen: Params, batch: Mapping[str, Array], keys: Array) -> Trained:
        activation = stages.activation(join_params(frozen, trained), batch["image"])
        return stages.entered(trained, frozen, activation, keys)

    return forward


def _features(
    target: Target, params: Params, source: data.Source, stages: Stages, views: Views, *, run: Run
) -> dict[str, np.ndarray]:
    """What the trained part reads of every view of every image, and ``label``; rows of ArrayBatches."""
    session = open_session(target, params, batch_size=images_at_once(target))

    def read(params: Params, batch: Batch) -> dict[str, Array]:
        results = stages.read(params, batch["image"])
        return dict(zip(read_names(len(results)), results, strict=True))

    def make() -> dict[str, np.ndarray]:
        say(f"features: {len(source)} images, {views.number} view{'s' if views.number > 1 else ''} of each")
        rows = data.Subset(source, np.tile(np.arange(len(source)), views.number))

        def passes() -> Any:
            return data.eval_batches(
                rows,
                batch_size=session.batch_size,
                preprocessing=target.preprocessing,
                augment=views.augment,
                seed=run.seed,
            )

        results = metrics.per_image(read, params, passes, mesh=session.mesh)
        return {"label": results["labels"], **{n: v for n, v in results.items() if n.startswith("read_")}}

    # Several processes have to compute together, or none.
    path = _kept_in(run) if jax.process_count() == 1 else None
    return caches.kept(path, make, read=caches.map_arrays, write=_write)


def _check_memory(stages: Stages, target: Target, params: Params, rows: int) -> None:
    """Raises an error if the features of so many views would not fit."""
    image = jax.ShapeDtypeStruct((1, *target.preprocessing.shape), np.uint8)
    shapes = jax.eval_shape(stages.read, params, image)
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


def _write(path: Path, arrays: Mapping[str, Any]) -> None:
    with path.open("wb") as file:
        np.savez(file, **arrays)
