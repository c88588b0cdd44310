"""A recursion over sites, each with layers of its own, that leaves as little as possible to the loop.

A step of the loop is a few operations that an accelerator hardly notices, and there are a hundred steps: what
need not wait for the site before is computed for all sites at once, forward and in reverse.
"""

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from flax import linen as nn
from jax import Array, lax

from jaxpath import compiling

_EPSILON = 1e-6
"""Of the normalisation, as in :class:`flax.linen.LayerNorm`."""


class Weights(NamedTuple):
    """Of one site's layers, or of all, with a first axis S.

    Attributes:
        kernel: [D, D], or [2 D, D] if it reads the site's embedding below the state.
        bias: [D].
        scale: Of the normalisation, [D].
        offset: Of the normalisation, [D].
    """

    kernel: Array
    bias: Array
    scale: Array
    offset: Array


def site_weights(sites: int, inputs: int, width: int, name: str) -> Weights:
    """Parameters of a recursion, [S, ...], of the Linen module that is being called.

    Args:
        sites: S.
        inputs: Width of what a site's product reads.
        width: D.
        name: Of the parameters.
    """
    # Draws what the layers draw in a loop of Linen's; JAX hands the parameters on and leaves no loop.
    each = nn.scan(_Site, length=sites, variable_axes={"params": 0}, split_rngs={"params": True})
    return each(inputs, width, name=name)(None)[1]


class _Site(nn.Module):
    """The parameters of one site, named as those of a dense layer and a normalisation."""

    inputs: int
    width: int

    @nn.compact
    def __call__(self, carry: None) -> tuple[None, Weights]:
        kernel, bias = _Dense(self.inputs, self.width, name="dense")()
        scale, offset = _Norm(self.width, name="norm")()
        return carry, Weights(kernel, bias, scale, offset)


class _Dense(nn.Module):
    inputs: int
    width: int

    @nn.compact
    def __call__(self) -> tuple[Array, Array]:
        kernel = self.param("kernel", nn.linear.default_kernel_init, (self.inputs, self.width))
        return kernel, self.param("bias", nn.initializers.zeros, (self.width,))


class _Norm(nn.Module):
    width: int

    @nn.compact
    def __call__(self) -> tuple[Array, Array]:
        scale = self.param("scale", nn.initializers.ones, (self.width,))
        return scale, self.param("bias", nn.initializers.zeros, (self.width,))


def recurse(
    weights: Weights,
    start: Array,
    embeddings: Array | None,
    *,
    dtype: Any,
    recursive: bool = True,
    reverse: bool = False,
) -> Array:
    """The state after each site, [S, B, D]: state' = norm(relu(W [state, embedding] + b)) + state.

    States, and sums over the batch in reverse, are float32 whatever products are computed in.

    Args:
        weights: From :func:`site_weights`.
        start: The first state [B, D].
        embeddings: [S, B, D]; None leaves them out of the product.
        dtype: Type in which products are computed.
        recursive: Each site reads the state that the one before it left; otherwise all read the first.
        reverse: From the last site to the first.
    """
    width = weights.scale.shape[-1]
    added = jnp.broadcast_to(weights.bias[:, None], (len(weights.bias), *start.shape))
    if embeddings is not None:
        added = added + _product(embeddings.astype(dtype), weights.kernel[:, width:].astype(dtype))
    layers = _Layers(weights.kernel[:, :width].astype(dtype), added, weights.scale, weights.offset)
    start = start.astype(jnp.float32)
    if recursive:
        states = _recursion(reverse, layers, start)
    else:
        states = _after(layers, jnp.broadcast_to(start, added.shape))
    return states.astype(dtype)


class _Layers(NamedTuple):
    """Of one site, or of all, with a first axis S.

    Attributes:
        kernel: What multiplies the state, [D, D].
        added: What is added to the product, for each image, [B, D].
        scale: Of the normalisation, [D].
        offset: Of the normalisation, [D].
    """

    kernel: Array
    added: Array
    scale: Array
    offset: Array


def _after(layers: _Layers, state: Array) -> Array:
    """The state after a site [B, D], or after each of several [S, B, D]."""
    hidden = _hidden(layers, state)
    centred, rate = _normalised(nn.relu(hidden))
    return centred * (rate * layers.scale[..., None, :]) + layers.offset[..., None, :] + state


def _hidden(layers: _Layers, state: Array) -> Array:
    return _product(state.astype(layers.kernel.dtype), layers.kernel) + layers.added


def _normalised(x: Array) -> tuple[Array, Array]:
    """What ``x`` has above its mean over the last axis, and one over its standard deviation."""
    mean = x.mean(axis=-1, keepdims=True)
    variance = jnp.maximum(0.0, jnp.square(x).mean(axis=-1, keepdims=True) - jnp.square(mean))
    return x - mean, lax.rsqrt(variance + _EPSILON)


def _product(x: Array, kernel: Array) -> Array:
    """[..., B, C] times [..., C, D], float32."""
    return jnp.matmul(x, kernel, preferred_element_type=jnp.float32)


@functools.partial(jax.custom_vjp, nondiff_argnums=(0,))
def _recursion(reverse: bool, layers: _Layers, start: Array) -> Array:
    """The state after each site, [S, B, D]."""

    def step(state: Array, layer: _Layers) -> tuple[Array, Array]:
        after = _after(layer, state)
        return after, after

    return lax.scan(step, start, layers, reverse=reverse, unroll=_unroll())[1]


def _forward(reverse: bool, layers: _Layers, start: Array) -> tuple[Array, tuple[_Layers, Array, Array]]:
    states = _recursion(reverse, layers, start)
    return states, (layers, start, states)


def _backward(reverse: bool, kept: tuple[_Layers, Array, Array], cotangent: Array) -> tuple[_Layers, Array]:
    """Gradients; only what a site hands to the one before it is left to the loop."""
    layers, start, states = kept
    dtype = layers.kernel.dtype
    before = [states[1:], start[None]] if reverse else [start[None], states[:-1]]
    read = jnp.concatenate(before).astype(dtype)
    hidden = _hidden(layers, read)
    centred, rate = _normalised(nn.relu(hidden))
    normal = centred * rate
    # Of the hidden values, per unit of what the normalisation hands back.
    slope = jnp.where(hidden > 0, rate, 0.0)

    def step(carried: Array, site: tuple[Array, ...]) -> tuple[Array, tuple[Array, Array]]:
        gradient, kernel, scale, normal, slope = site
        after = gradient + carried
        scaled = after * scale[None]
        share = scaled.mean(axis=-1, keepdims=True) + normal * (scaled * normal).mean(axis=-1, keepdims=True)
        before = slope * (scaled - share)
        return after + _product(before.astype(dtype), kernel.T), (after, before)

    sites = cotangent, layers.kernel, layers.scale, normal, slope
    first, (after, hidden_gradient) = lax.scan(
        step, jnp.zeros_like(start), sites, reverse=not reverse, unroll=_unroll()
    )
    kernel = _product(read.swapaxes(1, 2), hidden_gradient.astype(dtype)).astype(dtype)
    return _Layers(kernel, hidden_gradient, (after * normal).sum(axis=1), after.sum(axis=1)), first


_recursion.defvjp(_forward, _backward)


def _unroll() -> int:
    """Sites in one trip of a loop: on accelerators its own work is a share of what so small a step takes."""
    return 1 if compiling.platform() == "cpu" else 7
