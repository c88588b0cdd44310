"""Mean ablation: closed neurons keep their usual value, so that closing them removes only information."""

from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxpath.devices import collect, make_eval_step, replicate
from jaxpath.metrics.passes import name_of
from jaxpath.metrics.session import Passes, Session
from jaxpath.pathways import flatten, unflatten
from jaxpath.places import mean_over_places
from jaxpath.types import Batch, InputError, Params


def site_means(session: Session, passes: Passes) -> dict[str, np.ndarray]:
    """Mean activation of every channel over all images and positions, clean forward.

    A network is used to its mean activations and not to zeros: a conclusion that holds for one of the
    two only is weak. Units of a channel share its mean, because pathways at unit granularity are
    compared with those at channel granularity.

    Args:
        session: The classifier.
        passes: The training set.

    Returns:
        Site name -> [C], float32: the ``fills`` of a :class:`Session`. Sums are kept in float64, one
        batch at a time; padding is left out.

    Raises:
        InputError: There is no image, or an activation is not finite.
    """

    def evaluate(_: Any, params: Params, batch: Batch) -> dict[str, Array]:
        features = target.apply(params, batch["image"]).features
        means = {name: mean_over_places(feature, dtype=jnp.float32) for name, feature in features.items()}
        return {"mean_activations": flatten(means, target.sites)}

    target = session.target
    step = make_eval_step(evaluate, session.mesh)
    params = replicate(session.params, session.mesh)
    total, count = np.zeros(sum(site.channels for site in target.sites)), 0
    for batch in passes():
        results = collect(step, [batch], {}, params, mesh=session.mesh, name=name_of(passes))
        means = results["mean_activations"]
        total += means.sum(axis=0, dtype=np.float64)
        count += len(means)
    if not count:
        raise InputError("there is no image to take mean activations of; give the training set")
    return unflatten((total / count).astype(np.float32), target.sites)
