"""What a window sees at each place of a map."""

from collections.abc import Sequence

import jax.numpy as jnp
from jax import Array, lax

Pads = Sequence[tuple[int, int]]
"""Pixels ((top, bottom), (left, right)); below 0, they are cut off."""


def shifted_views(x: Array, size: Sequence[int], strides: Sequence[int], padding: Pads) -> list[Array]:
    """What each pixel of a window sees of x [B, H, W, C] at all places, row by row of the window.

    ``size`` is the window's, (height, width); returned are height * width arrays [B, H', W', C].
    """
    batch, _, _, channels = x.shape
    # Not jnp.pad: the gradient of a convolution with much padding cuts the edges off.
    x = lax.pad(x, jnp.zeros((), x.dtype), ((0, 0, 0), *((*pair, 0) for pair in padding), (0, 0, 0)))
    # From the first place's view to the last one's.
    tall, wide = ((x.shape[i + 1] - size[i]) // strides[i] * strides[i] + 1 for i in (0, 1))
    return [
        lax.slice(x, (0, i, j, 0), (batch, i + tall, j + wide, channels), (1, *strides, 1))
        for i in range(size[0])
        for j in range(size[1])
    ]


def patches(
    x: Array,
    size: Sequence[int],
    strides: Sequence[int] = (1, 1),
    padding: Pads = ((0, 0), (0, 0)),
) -> Array:
    """The pixels under a window of ``size`` at each place, side by side: [B, H, W, C] -> [B, H', W', h w C].

    A convolution is a product with them, its kernel [h, w, C, D] read as [h w C, D].
    """
    if tuple(size) == x.shape[1:3] and not any(pixels for pair in padding for pixels in pair):
        return x.reshape(x.shape[0], 1, 1, -1)
    return jnp.concatenate(shifted_views(x, size, strides, padding), axis=-1)
