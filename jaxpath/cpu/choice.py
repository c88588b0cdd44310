"""Which form of a convolution is the fastest for a shape; docs/performance.md has the figures."""

import math
from collections.abc import Sequence

import jax.numpy as jnp
from jax import Array

from jaxpath.cpu.forms import (
    Form,
    Window,
    depthwise_products,
    gathered_product,
    one_loop,
    xla_convolution,
    xla_depthwise,
)
from jaxpath.cpu.vectors import has_wide_vectors
from jaxpath.cpu.winograd import winograd_products

_SMALL = 7
"""Largest width of an output at which im2col beats XLA's own convolution."""

_WINOGRAD_CHANNELS = 64
"""Smallest number of input and of output channels at which Winograd beats XLA's 3 x 3 convolution."""

_WINOGRAD_BLOCKS = 64
"""Smallest number of 4 x 4 output blocks in a batch at which Winograd is worthwhile."""

_FEW_TERMS = 32
"""Largest number of products in a sum at which the sum, written out, beats XLA's own convolution."""

_TERMS = 160
"""The same for up to 16 outputs, which are one vector; XLA does not vectorise 32 outputs."""

_PIXELS = 4096
"""Smallest number of output pixels in a batch that is worth compiling such a sum, a quarter of a second."""


def choose(x: Array, kernel: Array, window: Window) -> Form:
    """The fastest form for images [B, H, W, C] and a kernel [h, w, C, D] of these shapes and type."""
    size, (inputs, outputs) = kernel.shape[:2], _channels(kernel.shape, window)
    height, width = output_size(x.shape, size, window)
    if size == (1, 1) or width <= _SMALL:
        return gathered_product
    if x.dtype != jnp.float32:
        return xla_convolution
    terms, pixels = math.prod(size) * inputs, x.shape[0] * height * width
    narrow = outputs <= 16 and terms <= _TERMS and has_wide_vectors()
    if window.loop is not None and pixels >= _PIXELS and (narrow or terms <= _FEW_TERMS):
        return one_loop
    blocks = x.shape[0] * -(-height // 4) * -(-width // 4)
    large = min(inputs, outputs) >= _WINOGRAD_CHANNELS and blocks >= _WINOGRAD_BLOCKS
    if size == (3, 3) and window.strides == (1, 1) and large:
        return winograd_products
    return xla_convolution


def choose_depthwise(kernel: Array, *, written_out: bool) -> Form:
    """The form for a depthwise kernel [h, w, 1, C]; a long sum is written out only if it may be.

    Where barriers do not hold, each reader computes the sum anew, and in a gradient the readers are sums of
    the same length: a compiler would not end with the 7 x 7 kernels of a few blocks of a ConvNeXt.
    """
    few = math.prod(kernel.shape[:2]) <= _FEW_TERMS
    return depthwise_products if few or written_out else xla_depthwise


def output_size(images: Sequence[int], size: Sequence[int], window: Window) -> tuple[int, int]:
    """(H', W') for images of shape [B, H, W, C] and a kernel of ``size``."""
    padded = (images[i + 1] + sum(window.padding[i]) for i in (0, 1))
    height, width = (
        (side - taps) // stride + 1 for side, taps, stride in zip(padded, size, window.strides, strict=True)
    )
    return height, width


def _channels(kernel: Sequence[int], window: Window) -> tuple[int, int]:
    """Of the images and of the result."""
    return (kernel[3], kernel[2]) if window.flip else (kernel[2], kernel[3])
