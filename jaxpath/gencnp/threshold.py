"""A differentiable threshold at a density."""

import jax.numpy as jnp
from jax import Array, lax

from jaxpath.pathways import order_statistic


def threshold_for(logits: Array, density: Array) -> Array:
    """The logit above which a fraction ``density`` [B] of each image's ``logits`` [B, N] lies, [B].

    Midway between two neighbours in the order, so that rounding cannot move a neuron across it.
    Differentiable: pushing one neuron over the threshold pushes another one back. Where logits tie at it,
    they share the gradient.
    """
    count = logits.shape[1]
    below = jnp.clip(jnp.round((1 - density) * count).astype(jnp.int32), 1, count - 1)
    values = order_statistic(logits, jnp.stack([below - 1, below], axis=1))  # [B, 2]
    ties = (logits[:, None] == values[:, :, None]).astype(logits.dtype)  # [B, 2, N]
    moving = (logits[:, None] * ties).sum(axis=-1) / ties.sum(axis=-1)
    return (values + moving - lax.stop_gradient(moving)).mean(axis=1)
