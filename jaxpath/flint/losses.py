"""FLINT's losses as the official code computes them; the paper prints other roles and sums.

z_f are the target's logits, z_h the interpreter's, a the attributes. Everything is per example, [B], but for
the entropy of the batch's mean attributes, which is one number for all devices.
"""

from typing import Literal

import jax
import jax.numpy as jnp
import optax
from jax import Array, lax


def entropy(values: Array) -> Array:
    """E(v) = -sum_i p_i log p_i in nats with p = softmax(v): [..., J] -> [...], from 0 to ln J."""
    log_p = jax.nn.log_softmax(values)
    return -(jnp.exp(log_p) * log_p).sum(axis=-1)


def output_fidelity(target_logits: Array, head_logits: Array) -> Array:
    """Cross-entropy of the interpreter with the target's probabilities, [B, K] logits -> [B], in nats.

    -sum_c softmax(z_f)_c log_softmax(z_h)_c, z_f detached (official code: the paper prints the roles the
    other way round). Its smallest value is the entropy of softmax(z_f).
    """
    teacher = lax.stop_gradient(jax.nn.softmax(target_logits))
    return optax.softmax_cross_entropy(head_logits, teacher)


def input_fidelity(images: Array, reconstruction: Array, *, norm: Literal["l1", "l2"] = "l2") -> Array:
    """Mean squared ("l2") or absolute ("l1") error per pixel and channel: [B, H, W, C] -> [B]."""
    error = reconstruction - images
    return (error**2 if norm == "l2" else jnp.abs(error)).mean(axis=(1, 2, 3))


def sparsity(attributes: Array) -> Array:
    """Mean of |a| over the attributes, [B, J] -> [B]; the paper prints the sum, J times as much."""
    return jnp.abs(attributes).mean(axis=-1)


def concentration(attributes: Array) -> Array:
    """E(|a|) of each example, [B, J] -> [B]: small where few attributes are active."""
    return entropy(jnp.abs(attributes))


def diversity(attributes: Array, weight: Array | None = None, *, axis_name: str | None = None) -> Array:
    """E(mean_b |a_b|) of the whole batch, [B, J] -> []: large where the images use all attributes.

    Args:
        attributes: This device's part of the batch.
        weight: [B], 0 for padding.
        axis_name: The devices that share the batch. The mean is taken over all of them, and so is its
            gradient: under ``check_vma=False`` a sum over devices is its own transpose.
    """
    weight = jnp.ones(attributes.shape[0]) if weight is None else weight
    total, count = jnp.abs(attributes).T @ weight, weight.sum()
    if axis_name is not None:
        total, count = lax.psum((total, count), axis_name)
    return entropy(total / count)
