"""Mean activations, and reference pictures whose activations closed neurons may take: computed once."""

import math
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxpath.devices import collect, make_eval_step, replicate
from jaxpath.fills import References
from jaxpath.metrics.passes import array_passes, images_at, name_of
from jaxpath.metrics.session import Passes, Session, unwatched
from jaxpath.pathways import flatten, unflatten
from jaxpath.places import mean_over_places
from jaxpath.types import Batch, InputError, Params, Target

NUM_REFERENCES = 64
"""Reference pictures, unless their activations take too much memory."""

_MEMORY = 2**28
"""Bytes of activations of all reference pictures, on every device."""


def site_means(session: Session, passes: Passes) -> dict[str, np.ndarray]:
    """Mean activation of every channel over all images and positions, clean forward.

    A network is used to its mean activations and not to zeros: a conclusion that holds for one of the
    two only is weak. Units of a channel share its mean, because pathways at unit granularity are
    compared with those at channel granularity.

    Args:
        session: The classifier.
        passes: The training set.

    Returns:
        Site name -> [C], float32. Sums are kept in float64, one batch at a time; padding is left out.

    Raises:
        InputError: There is no image, or an activation is not finite.
    """
    return _means_and_classes(session, passes)[0]


def make_references(session: Session, passes: Passes, *, most: int = NUM_REFERENCES) -> References:
    """Reference pictures of all classes, and the mean activations, from two passes over a data set.

    The pictures are the first of each predicted class, then the second of each, and so on. The same data set
    gives the same ones in batches of any size and on any devices.

    Args:
        session: The classifier.
        passes: The data set.
        most: How many pictures; fewer where the activations of so many take more than 256 MiB.

    Raises:
        InputError: There is no image, or an activation is not finite.
    """
    means, predicted, indices = _means_and_classes(session, passes)
    rows = spread_over_classes(predicted, min(most, _fitting(session.target)))
    images = images_at(session, passes, indices[rows])

    def evaluate(params: Params, _: Any, batch: Batch) -> dict[str, Array]:
        return {**session.target.apply(params, batch["image"]).features}

    step = make_eval_step(evaluate, session.mesh)
    batches = array_passes(session._replace(watch=unwatched), image=images)
    params = replicate(session.params, session.mesh)
    features = collect(step, batches(), params, {}, mesh=session.mesh)
    return References(images, predicted[rows], features, means)


def spread_over_classes(classes: np.ndarray, most: int) -> np.ndarray:
    """Rows of up to ``most`` images, as many of each class as there are, in rising order.

    >>> spread_over_classes(np.array([0, 0, 0, 1, 2, 2]), 4).tolist()
    [0, 1, 3, 4]
    """
    order = np.argsort(classes, kind="stable")
    ordered = np.asarray(classes)[order]
    rank = np.arange(len(order)) - np.searchsorted(ordered, ordered, side="left")
    return np.sort(order[np.argsort(rank, kind="stable")[:most]])


def _means_and_classes(
    session: Session, passes: Passes
) -> tuple[dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """Mean activations by site, and the predicted class and index of every image."""

    def evaluate(_: Any, params: Params, batch: Batch) -> dict[str, Array]:
        output = target.apply(params, batch["image"])
        means = {
            name: mean_over_places(feature, dtype=jnp.float32) for name, feature in output.features.items()
        }
        return {
            "mean_activations": flatten(means, target.sites),
            "predicted": output.logits.argmax(axis=-1),
            "indices": batch["index"],
        }

    target = session.target
    step = make_eval_step(evaluate, session.mesh)
    params = replicate(session.params, session.mesh)
    total, count = np.zeros(sum(site.channels for site in target.sites)), 0
    rest: list[Mapping[str, np.ndarray]] = []
    for batch in passes():
        results = collect(step, [batch], {}, params, mesh=session.mesh, name=name_of(passes))
        means = results.pop("mean_activations")
        total += means.sum(axis=0, dtype=np.float64)
        count += len(means)
        rest.append(results)
    if not count:
        raise InputError("there is no image to take activations of; give the training set")
    predicted, indices = (np.concatenate([part[name] for part in rest]) for name in ("predicted", "indices"))
    return unflatten((total / count).astype(np.float32), target.sites), predicted, indices


def _fitting(target: Target) -> int:
    """How many pictures' activations fit into the memory; at least two."""
    params = jax.eval_shape(target.init, jax.random.key(0))
    image = jax.ShapeDtypeStruct((1, *target.preprocessing.shape), jnp.uint8)
    features = jax.eval_shape(target.apply, params, image).features
    each = sum(math.prod(f.shape) * f.dtype.itemsize for f in features.values())
    return max(2, _MEMORY // each)
