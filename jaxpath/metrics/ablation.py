"""Mean ablation: closed neurons keep their usual value, so that closing them removes only information."""

from collections.abc import Mapping
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.sharding import Mesh

from jaxpath.metrics.records import Batches
from jaxpath.pathways import flatten, unflatten
from jaxpath.training.evaluate import collect
from jaxpath.training.sharding import replicate
from jaxpath.training.step import make_eval_step
from jaxpath.types import InputError, Params, Target


def site_means(target: Target, params: Params, batches: Batches, *, mesh: Mesh) -> dict[str, np.ndarray]:
    """Mean activation of every channel over all images and positions, clean forward.

    A network is used to its mean activations and not to zeros: a conclusion that holds for one of the
    two only is weak. Units of a channel share its mean, because pathways at unit granularity are
    compared with those at channel granularity.

    Args:
        target: The classifier.
        params: Its parameters.
        batches: The training set.
        mesh: The devices.

    Returns:
        Site name -> [C], float32: the ``fills`` of every metric here. Sums are kept in float64, one
        batch at a time; padding is left out.

    Raises:
        InputError: There is no image.
    """

    def evaluate(_: Any, params: Params, batch: Mapping[str, Array]) -> dict[str, Array]:
        features = target.apply(params, batch["image"]).features
        means = {
            name: f.mean(axis=(1, 2), dtype=jnp.float32) if f.ndim == 4 else f.astype(jnp.float32)
            for name, f in features.items()
        }
        return {"means": flatten(means, target.sites)}

    step = make_eval_step(evaluate, mesh)
    params = replicate(params, mesh)
    total, count = np.zeros(sum(site.channels for site in target.sites)), 0
    for batch in batches():
        means = collect(step, [batch], {}, params, mesh=mesh)["means"]
        total += means.sum(axis=0, dtype=np.float64)
        count += len(means)
    if not count:
        raise InputError("there is no image to take mean activations of; give the training set")
    return unflatten((total / count).astype(np.float32), target.sites)
