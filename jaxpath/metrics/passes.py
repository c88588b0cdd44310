"""One pass over a data set for whatever is computed per image."""

from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
from jax import Array
from jax.sharding import Mesh

from jaxpath.metrics.records import Batches
from jaxpath.training.evaluate import collect
from jaxpath.training.sharding import replicate
from jaxpath.training.step import make_eval_step


def per_image(
    fn: Callable[[Any, Mapping[str, Array]], Mapping[str, Array]],
    params: Any,
    batches: Batches,
    *,
    mesh: Mesh,
) -> dict[str, np.ndarray]:
    """Runs ``fn(params, batch) -> {name: [b, ...]}`` over a data set, compiled for all devices.

    Args:
        fn: What is computed of each image; called with one device's part of a batch.
        params: Arrays that it uses, an argument of the program.
        batches: The data set.
        mesh: The devices.

    Returns:
        Name -> [N_images, ...] in the order of the data set, without padding, and besides ``indices``
        (place in the data set: not all are there if some could not be read) and ``labels``.
    """

    def evaluate(params: Any, _: Any, batch: Mapping[str, Array]) -> dict[str, Array]:
        return {"indices": batch["index"], "labels": batch["label"], **fn(params, batch)}

    return collect(make_eval_step(evaluate, mesh), batches(), replicate(params, mesh), {}, mesh=mesh)
