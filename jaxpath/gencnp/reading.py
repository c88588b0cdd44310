"""What a generator reads of a batch: the target's feature maps, and its evidence for the predicted class."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from jaxpath import losses
from jaxpath.pathways import flatten
from jaxpath.types import Params, ShiftedMask, Target, TargetOutput


class Slopes(NamedTuple):
    """How the predicted class's margin s_k - log(sum of e^s_j over the others) follows each channel.

    Closing a channel to the value v changes the margin by v * gradient - product, to first order: a Taylor
    score for any v.

    Attributes:
        product: a ds/da summed over places, [B, N] float32, N channels of all sites.
        gradient: ds/da summed over places, [B, N] float32.
    """

    product: Array
    gradient: Array


class Reading(NamedTuple):
    """What a generator reads.

    Attributes:
        features: Site name -> activation, [B, H, W, C], [B, T, C] or [B, C].
        evidence: What each channel of the last site contributes to the predicted class's logit, a dy/da
            summed over places, [B, C] float32.
        slopes: Of all sites; None where they were not asked for.
    """

    features: dict[str, Array]
    evidence: Array
    slopes: Slopes | None = None


def read(
    target: Target, params: Params, images: Array, *, slopes: bool = False
) -> tuple[TargetOutput, Reading]:
    """The target's clean output, and what a generator reads of it.

    Evidence and slopes are our choice. The evidence names the class whose pathway is asked for, by the
    target's own weights: a class that no training image showed is told as well as any other. It costs the
    backward pass of what lies behind the last site.

    Args:
        target: The classifier.
        params: Its parameters.
        images: [B, H, W, 3], as the target takes them.
        slopes: Read them too, for a generator with ``taylor``: they cost one backward pass of the target.

    >>> from jaxpath import targets
    >>> from jaxpath.types import Preprocessing
    >>> def forward(params, images):
    ...     return jax.nn.relu(images.reshape(len(images), -1)) @ params
    >>> weights, pixels = jnp.array([[2.0, 0.0], [-1.0, 0.0]]), Preprocessing(None, (1, 2), (0.0,), (1.0,))
    >>> target = targets.adapt_function(forward, init=lambda _: weights, name="two", preprocessing=pixels)
    >>> clean, reading = read(target, weights, jnp.array([[[[3.0], [1.0]]]]))
    >>> clean.logits.tolist(), reading.features["000.relu"].tolist(), reading.evidence.tolist()
    ([[5.0, 0.0]], [[3.0, 1.0]], [[6.0, -1.0]])
    """
    last = target.sites[-1].name
    sites = target.sites if slopes else target.sites[-1:]
    shapes = {site.name: (images.shape[0], site.channels) for site in sites}

    def logits(gates: dict[str, ShiftedMask]) -> tuple[Array, TargetOutput]:
        clean = target.apply(params, images, gates)
        return clean.logits, clean

    # One pass: gates that change no value, and whose gradients are a ds/da and ds/da.
    gates = {name: ShiftedMask(jnp.ones(shape), jnp.zeros(shape)) for name, shape in shapes.items()}
    values, pull_back, clean = jax.vjp(logits, gates, has_aux=True)
    classes = values.argmax(axis=-1)
    (of_logit,) = pull_back(jax.nn.one_hot(classes, target.num_classes, dtype=values.dtype))
    evidence = of_logit[last].mask
    if not slopes:
        return clean, Reading(clean.features, evidence)
    (of_margin,) = pull_back(jax.grad(_total_margin)(values, classes))
    product = flatten({name: gate.mask for name, gate in of_margin.items()}, sites)
    gradient = flatten({name: gate.shift for name, gate in of_margin.items()}, sites)
    return clean, Reading(clean.features, evidence, Slopes(product, gradient))


def _total_margin(logits: Array, classes: Array) -> Array:
    """Sum over a batch of log p / (1 - p) of its ``classes`` [B]; logits [B, K]."""
    return (losses.rejection(logits, classes) - losses.cross_entropy(logits, classes)).sum()
