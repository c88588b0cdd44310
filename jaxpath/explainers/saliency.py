"""Which pixels matter to what the pathway computes."""

import jax
import jax.numpy as jnp
from jax import Array

from jaxpath.explainers.scoring import logit_of
from jaxpath.targets.linen import as_input
from jaxpath.types import Gates, Params, Target


def pixel_gradient(
    target: Target, params: Params, pixels: Array, labels: Array, masks: Gates | None = None
) -> Array:
    """Returns d y_c / d pixel of normalised images through the masked network, [B, H, W, C]."""

    def score(pixels: Array) -> Array:
        return logit_of(target.apply(params, pixels, masks).logits, labels).sum()

    return jax.grad(score)(pixels)


def pathway_saliency(
    target: Target, params: Params, images: Array, labels: Array, masks: Gates | None
) -> Array:
    """Gradient of y_c through the masked network with respect to the normalised image, [B, H, W].

    Per pixel the colour channel of the largest magnitude, with its sign. ``masks=None`` is the plain
    gradient of the whole network.
    """
    pixels = as_input(images, target.preprocessing, name=target.name)
    gradient = pixel_gradient(target, params, pixels, labels, masks)
    strongest = jnp.abs(gradient).argmax(axis=-1, keepdims=True)
    return jnp.take_along_axis(gradient, strongest, axis=-1)[..., 0]
