"""The forms in which a CPU computes a convolution; each is exact, and each is the fastest for some shapes."""

import functools
from typing import Any, Literal, NamedTuple, Protocol

import jax.numpy as jnp
from jax import Array, lax

from jaxpath.windows import patches, shifted_views

STANDARD = ("NHWC", "HWIO", "NHWC")
"""Order of the axes of images, kernel and result."""


class Window(NamedTuple):
    """How a kernel is laid over the images.

    Attributes:
        strides: (vertical, horizontal).
        padding: Pixels ((top, bottom), (left, right)).
        precision: As ``lax.conv_general_dilated`` takes it.
        loop: Whether the sum may be written out as one loop: "fused" with what reads it, "alone", or not.
        flip: The kernel [h, w, C, D] is used from its last tap to its first, from D to C channels: so it is
            in the gradient with respect to the images of a convolution of stride 1.
    """

    strides: tuple[int, int]
    padding: tuple[tuple[int, int], ...]
    precision: Any = None
    loop: Literal["fused", "alone"] | None = None
    flip: bool = False


class Form(Protocol):
    """One way to compute the convolution of x [B, H, W, C] and a kernel [h, w, C, D], [B, H', W', D]."""

    def __call__(self, x: Array, kernel: Array, window: Window) -> Array: ...


def xla_convolution(x: Array, kernel: Array, window: Window) -> Array:
    """XLA's own convolution."""
    # A flipped kernel, and no transposed convolution, for which XLA takes slow code inside a loop.
    return lax.conv_general_dilated(
        x,
        _taps(kernel, window),
        window.strides,
        window.padding,
        dimension_numbers=STANDARD,
        precision=window.precision,
    )


def gathered_product(x: Array, kernel: Array, window: Window) -> Array:
    """What each output pixel sees, side by side, times the kernel as one matrix (im2col)."""
    kernel = _taps(kernel, window)
    views = patches(x, kernel.shape[:2], window.strides, window.padding)
    matrix = kernel.reshape(-1, kernel.shape[-1])
    return jnp.einsum("bhwk,kd->bhwd", views, matrix, precision=window.precision)


def shifted_products(x: Array, kernel: Array, window: Window) -> Array:
    """Sum over the kernel's taps of (a shifted, strided view of x) times (that tap's matrix)."""
    kernel = _taps(kernel, window)
    views = shifted_views(x, kernel.shape[:2], window.strides, window.padding)
    taps = kernel.reshape(-1, *kernel.shape[2:])
    products = (
        jnp.einsum("bhwc,cd->bhwd", view, tap, precision=window.precision)
        for view, tap in zip(views, taps, strict=True)
    )
    return functools.reduce(jnp.add, products)


def one_loop(x: Array, kernel: Array, window: Window) -> Array:
    """The sum written out, value times row of the kernel: XLA makes one loop over the pixels of all of it.

    A row of up to 16 outputs is one vector. What reads the result point by point gets into the loop, unless
    the loop is to be alone.
    """
    kernel = _taps(kernel, window)
    # Each pixel reads all of them: what computes them must not get into the loop.
    x, kernel = lax.optimization_barrier(x), lax.optimization_barrier(kernel)
    rows = kernel.reshape(-1, 1, 1, 1, kernel.shape[-1])
    views = shifted_views(x, kernel.shape[:2], window.strides, window.padding)
    values = [view[..., i : i + 1] for view in views for i in range(view.shape[-1])]
    # Eight sums at once: an addition need not wait for the one before it.
    products = [value * row for value, row in zip(values, rows, strict=True)]
    sums = [functools.reduce(jnp.add, products[i::8]) for i in range(min(8, len(products)))]
    total = functools.reduce(jnp.add, sums)
    return total if window.loop == "fused" else lax.optimization_barrier(total)


def depthwise_products(x: Array, kernel: Array, window: Window) -> Array:
    """Convolves every channel on its own: x [B, H, W, C] and kernel [h, w, 1, C] -> [B, H', W', C].

    Sum over the kernel's taps of a shifted view times a weight per channel, which XLA makes one loop: its own
    grouped convolution takes ten times as long.
    """
    views = shifted_views(x, kernel.shape[:2], window.strides, window.padding)
    weights = kernel.reshape(-1, 1, 1, 1, kernel.shape[-1])
    products = [view * weight for view, weight in zip(views, weights, strict=True)]
    # Statistics of a batch and gradients read the sum as well, and would compute it again.
    return lax.optimization_barrier(functools.reduce(jnp.add, products))


def xla_depthwise(x: Array, kernel: Array, window: Window) -> Array:
    """The same by XLA's own grouped convolution."""
    return lax.conv_general_dilated(
        x,
        kernel,
        window.strides,
        window.padding,
        dimension_numbers=STANDARD,
        feature_group_count=x.shape[-1],
        precision=window.precision,
    )


def _taps(kernel: Array, window: Window) -> Array:
    return kernel[::-1, ::-1].swapaxes(2, 3) if window.flip else kernel
