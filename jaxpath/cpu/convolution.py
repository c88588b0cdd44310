"""A convolution as one operation of JAX, which a CPU computes in the fastest form for its shape.

It is an operation of its own, and not the form written out, for the sake of its derivatives: those that JAX
would take of a form are slow. A convolution is linear in the images and in the kernel; JAX has both
derivatives of any such operation from the operation itself, forward, and from its two transposes, in reverse.
"""

import functools
from collections.abc import Callable
from typing import Any

import jax
from jax import Array, lax
from jax.extend.core import Primitive
from jax.interpreters import ad, batching, mlir

from jaxpath.cpu.choice import choose, choose_depthwise
from jaxpath.cpu.forms import (
    Form,
    Window,
    gathered_product,
    shifted_products,
    xla_convolution,
)
from jaxpath.cpu.hints import Hints
from jaxpath.windows import Pads

convolution_p = Primitive("convolution_by_shape")


def convolve(
    x: Array,
    kernel: Array,
    strides: tuple[int, int],
    padding: Pads | str,
    precision: lax.PrecisionLike = None,
    *,
    hints: Hints,
) -> Array:
    """The convolution of images [B, H, W, C] and a kernel [h, w, C, D], [B, H', W', D].

    Args:
        x: Images.
        kernel: Their kernel.
        strides: (vertical, horizontal).
        padding: As in :class:`~jaxpath.cpu.forms.Window`, or "SAME" or "VALID".
        precision: As ``lax.conv_general_dilated`` takes it.
        hints: What is known about the program.
    """
    window = _window(x, kernel, strides, padding)._replace(precision=precision)
    if hints.direct:
        return _direct(x, kernel, window)
    if hints.barriers:
        # Written out, it would be computed by each reader anew if barriers did not hold.
        window = window._replace(loop="fused" if hints.read_once else "alone")
    return _bind(x, kernel, window)


def convolve_channels(
    x: Array,
    kernel: Array,
    strides: tuple[int, int],
    padding: Pads | str,
    precision: lax.PrecisionLike = None,
    *,
    hints: Hints,
) -> Array:
    """The depthwise convolution of images [B, H, W, C] and a kernel [h, w, 1, C], [B, H', W', C].

    The other arguments are those of :func:`convolve`.
    """
    window = _window(x, kernel, strides, padding)._replace(precision=precision)
    form = choose_depthwise(kernel, written_out=hints.barriers or hints.direct)
    return form(x, kernel, window)


def _window(x: Array, kernel: Array, strides: tuple[int, int], padding: Pads | str) -> Window:
    if isinstance(padding, str):
        padding = lax.padtype_to_pads(x.shape[1:3], kernel.shape[:2], strides, padding)
    (top, bottom), (left, right) = padding
    return Window(strides, ((top, bottom), (left, right)))


def _bind(x: Array, kernel: Array, window: Window) -> Array:
    # The kernel first: in reverse, JAX then takes the gradient with respect to the images before the other.
    return convolution_p.bind(kernel, x, window=window)


def _direct(x: Array, kernel: Array, window: Window) -> Array:
    """In JAX's own operations, which sum up products of one value and one weight."""
    window = window._replace(loop=None)
    form = gathered_product if choose(x, kernel, window) is gathered_product else xla_convolution
    return form(x, kernel, window)


def _on_cpu(kernel: Array, x: Array, *, window: Window) -> Array:
    return choose(x, kernel, window)(x, kernel, window)


def _elsewhere(kernel: Array, x: Array, *, window: Window) -> Array:
    return xla_convolution(x, kernel, window)


def _result(kernel: Any, x: Any, *, window: Window) -> Any:
    """Shape and type of the result: those of XLA's convolution."""
    return jax.make_jaxpr(functools.partial(_elsewhere, window=window))(kernel, x).out_avals[0]


def _to_kernel(cotangent: Array, kernel: Any, x: Array, *, window: Window) -> Array:
    """The gradient with respect to the kernel, of which only the shape is known."""
    gathered = choose(x, kernel.aval, window._replace(loop=None)) is gathered_product
    form = gathered_product if gathered else xla_convolution
    return _transposed(lambda kernel: form(x, kernel, window), kernel.aval)(cotangent)


def _to_images(cotangent: Array, kernel: Array, x: Any, *, window: Window) -> Array:
    """The gradient with respect to the images, of which only the shape is known."""
    if choose(x.aval, kernel, window._replace(loop=None)) is gathered_product:
        form: Form = gathered_product
    elif window.strides == (1, 1):
        around = tuple(
            (size - 1 - low, size - 1 - high)
            for size, (low, high) in zip(kernel.shape[:2], window.padding, strict=True)
        )
        return _bind(cotangent, kernel, window._replace(padding=around, flip=not window.flip))
    else:
        form = shifted_products
    return _transposed(lambda x: form(x, kernel, window), x.aval)(cotangent)


def _transposed(linear: Callable[[Array], Array], argument: Any) -> Callable[[Array], Array]:
    transpose = jax.linear_transpose(linear, argument)
    return lambda cotangent: transpose(cotangent)[0]


def _batched(arguments: Any, axes: Any, *, window: Window) -> tuple[Array, int]:
    """Over images: a larger batch. Over kernels: JAX's own operations, each with its own rule."""
    (kernel, x), (kernel_axis, x_axis) = arguments, axes
    if kernel_axis is None:
        x = batching.bdim_at_front(x, x_axis, x.shape[x_axis])
        y = _bind(x.reshape(-1, *x.shape[2:]), kernel, window)
        return y.reshape(*x.shape[:2], *y.shape[1:]), 0
    direct = functools.partial(_direct, window=window)
    return jax.vmap(direct, in_axes=(x_axis, kernel_axis))(x, kernel), 0


convolution_p.def_impl(jax.jit(_on_cpu, static_argnames="window"))
convolution_p.def_abstract_eval(_result)
ad.defbilinear(convolution_p, _to_kernel, _to_images)
batching.primitive_batchers[convolution_p] = _batched
mlir.register_lowering(convolution_p, mlir.lower_fun(_on_cpu, multiple_results=False), platform="cpu")
# A trace for CPUs that is lowered for another device all the same.
mlir.register_lowering(convolution_p, mlir.lower_fun(_elsewhere, multiple_results=False))
