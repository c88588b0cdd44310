"""What a generator reads of a batch: the target's feature maps, and its evidence for the predicted class."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array

from jaxpath.types import Params, Target, TargetOutput


class Reading(NamedTuple):
    """What a generator reads.

    Attributes:
        features: Site name -> activation, [B, H, W, C], [B, T, C] or [B, C].
        evidence: What each channel of the last site contributes to the predicted class's logit, a dy/da
            summed over places, [B, C] float32.
    """

    features: dict[str, Array]
    evidence: Array


def read(target: Target, params: Params, images: Array) -> tuple[TargetOutput, Reading]:
    """The target's clean output, and what a generator reads of it.

    The evidence is our choice. It names the class whose pathway is asked for, by the target's own weights: a
    class that no training image showed is told as well as any other. It costs the backward pass of what lies
    behind the last site.

    Args:
        target: The classifier.
        params: Its parameters.
        images: [B, H, W, 3], as the target takes them.
    """
    site = target.sites[-1]

    def logits(gates: Array) -> tuple[Array, TargetOutput]:
        clean = target.apply(params, images, {site.name: gates})
        return clean.logits, clean

    # One pass: gates of one change no value, and their gradient is a dy/da.
    values, pull_back, clean = jax.vjp(logits, jnp.ones((images.shape[0], site.channels)), has_aux=True)
    (evidence,) = pull_back(jax.nn.one_hot(values.argmax(axis=-1), target.num_classes, dtype=values.dtype))
    return clean, Reading(clean.features, evidence)
