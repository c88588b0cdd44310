"""Convolutions by XLA, and what tests compare of two convolutions."""

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax

DIMENSIONS = ("NHWC", "HWIO", "NHWC")


def draw(*shape):
    return jnp.asarray(np.random.default_rng(0).normal(size=shape), jnp.float32)


def plain(*args):
    """XLA's convolution."""
    return lax.conv_general_dilated(*args, dimension_numbers=DIMENSIONS)


def with_gradients(convolve, x, weights, strides, padding, *, compiled=jax.jit):
    """The gradients of a loss with respect to images and kernel, and the result."""

    def loss(x, weights):
        y = convolve(x, weights, strides, padding)
        return jnp.sin(y).sum(), y

    gradients, y = compiled(jax.grad(loss, argnums=(0, 1), has_aux=True))(x, weights)
    return *gradients, y


def penalty_gradient(convolve, x, weights, *, compiled=jax.jit):
    """The gradient, with respect to the kernel, of the squared gradient with respect to the images."""

    def penalty(weights):
        gradient = jax.grad(lambda x: jnp.sin(convolve(x, weights, (1, 1), "SAME")).sum())(x)
        return jnp.square(gradient).sum()

    return compiled(jax.grad(penalty))(weights)
