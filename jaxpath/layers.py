"""Layers that every network here shares: the convolution, chosen by shape and device, and pooling."""

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax import Array, lax

_SMALL = 7
"""Output width up to which shifted products beat XLA's own convolution on a CPU."""

_STANDARD = ("NHWC", "HWIO", "NHWC")


def conv_general_dilated(
    lhs: Array,
    rhs: Array,
    window_strides: Sequence[int],
    padding: Sequence[tuple[int, int]] | str,
    lhs_dilation: Sequence[int] | None = None,
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers: lax.ConvDimensionNumbers | None = None,
    feature_group_count: int = 1,
    precision: lax.PrecisionLike = None,
) -> Array:
    """``lax.conv_general_dilated`` for NHWC images and HWIO kernels, chosen by shape on a CPU.

    On a CPU, XLA's convolution is up to a hundred times slower than a sum of shifted matrix products where
    the output is a few pixels wide, up to three times slower in the gradient of a strided one, and ten times
    slower in the gradient of one inside a loop; docs/performance.md has the figures. There, it can be
    differentiated in reverse mode only. Accelerators keep XLA's own. Takes what :class:`flax.linen.Conv`
    passes, so it plugs in there.

    Args:
        lhs: Images [B, H, W, C].
        rhs: Kernel [h, w, C, D].
        window_strides: (vertical, horizontal).
        padding: Pixels ((top, bottom), (left, right)), or "SAME" or "VALID".

    Returns:
        [B, H', W', D].
    """
    strides = tuple(window_strides)
    dense = feature_group_count == 1 and _is_one(lhs_dilation) and _is_one(rhs_dilation)
    if dense and jax.default_backend() == "cpu":
        if isinstance(padding, str):
            padding = lax.padtype_to_pads(lhs.shape[1:3], rhs.shape[:2], strides, padding)
        return _cpu_convolution(lhs, rhs, strides, tuple(map(tuple, padding)), precision)
    return lax.conv_general_dilated(
        lhs,
        rhs,
        strides,
        padding,
        lhs_dilation,
        rhs_dilation,
        dimension_numbers=dimension_numbers or _STANDARD,
        feature_group_count=feature_group_count,
        precision=precision,
    )


def _is_one(dilation: int | Sequence[int] | None) -> bool:
    return dilation is None or dilation == 1 or all(d == 1 for d in dilation)  # type: ignore[union-attr]


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3, 4))
def _cpu_convolution(x, kernel, strides, padding, precision) -> Array:
    """The faster of XLA's convolution and shifted products, forward and backward."""
    width = (x.shape[2] + sum(padding[1]) - kernel.shape[1]) // strides[1] + 1
    if kernel.shape[:2] == (1, 1) or width <= _SMALL:
        return _shifted_products(x, kernel, strides, padding, precision)
    return _xla_convolution(x, kernel, strides, padding, precision)


def _forward(x, kernel, strides, padding, precision):
    return _cpu_convolution(x, kernel, strides, padding, precision), (x, kernel)


def _backward(strides, padding, precision, residuals, cotangent):
    x, kernel = residuals
    if strides == (1, 1):
        # Written out as a convolution: inside a loop, XLA's own transposed form falls back to a slow kernel.
        flipped = kernel[::-1, ::-1].swapaxes(2, 3)
        around = tuple(
            (size - 1 - low, size - 1 - high)
            for size, (low, high) in zip(kernel.shape[:2], padding, strict=True)
        )
        to_x = _cpu_convolution(cotangent, flipped, (1, 1), around, precision)
    else:
        _, pull = jax.vjp(lambda x: _shifted_products(x, kernel, strides, padding, precision), x)
        (to_x,) = pull(cotangent)
    _, pull = jax.vjp(lambda kernel: _xla_convolution(x, kernel, strides, padding, precision), kernel)
    return to_x, *pull(cotangent)


_cpu_convolution.defvjp(_forward, _backward)


def _xla_convolution(x, kernel, strides, padding, precision) -> Array:
    return lax.conv_general_dilated(
        x, kernel, strides, padding, dimension_numbers=_STANDARD, precision=precision
    )


def _shifted_products(x, kernel, strides, padding, precision) -> Array:
    """Sum over the kernel's taps of (a shifted, strided view of x) times (that tap's matrix)."""
    batch, _, _, channels = x.shape
    rows, columns = kernel.shape[:2]
    # Not jnp.pad: the gradient of a convolution with much padding cuts the edges off.
    x = lax.pad(x, jnp.zeros((), x.dtype), ((0, 0, 0), *((*pair, 0) for pair in padding), (0, 0, 0)))
    height = (x.shape[1] - rows) // strides[0] + 1
    width = (x.shape[2] - columns) // strides[1] + 1

    def view(i: int, j: int) -> Array:
        stop = (
            batch,
            i + (height - 1) * strides[0] + 1,
            j + (width - 1) * strides[1] + 1,
            channels,
        )
        return lax.slice(x, (0, i, j, 0), stop, (1, *strides, 1))

    taps = [(i, j) for i in range(rows) for j in range(columns)]
    products = (jnp.einsum("bhwc,cd->bhwd", view(i, j), kernel[i, j], precision=precision) for i, j in taps)
    return functools.reduce(jnp.add, products)


Conv = functools.partial(nn.Conv, conv_general_dilated=conv_general_dilated)
"""A :class:`flax.linen.Conv` that convolves by :func:`conv_general_dilated`."""


def uniform_init(fan_in: int) -> dict[str, Any]:
    """PyTorch's default, U(-1/sqrt(fan_in), 1/sqrt(fan_in)), as ``kernel_init`` and ``bias_init`` of a layer.

    Its variance is a third of ``lecun_normal``'s, and its biases are not 0.
    """
    bound = fan_in**-0.5

    def init(key: Array, shape: Sequence[int], dtype: Any = jnp.float32) -> Array:
        return jax.random.uniform(key, tuple(shape), dtype, -bound, bound)

    return {"kernel_init": init, "bias_init": init}


def max_pool_halves(x: Array) -> Array:
    """Largest value of each 2 x 2 block, [B, H, W, C] -> [B, H // 2, W // 2, C]; odd edges are left out.

    On a CPU the gradient of ``lax.reduce_window`` takes thirty times as long as that of two maxima.
    """
    batch, height, width, channels = x.shape
    rows, columns = height // 2, width // 2
    x = x[:, : 2 * rows, : 2 * columns].reshape(batch, rows, 2, columns, 2, channels)
    x = jnp.maximum(x[:, :, 0], x[:, :, 1])
    return jnp.maximum(x[:, :, :, 0], x[:, :, :, 1])


def adaptive_average_pool(x: Array, size: tuple[int, int]) -> Array:
    """PyTorch's adaptive average pool: bin i covers [floor(i n / size), ceil((i + 1) n / size)).

    Bins overlap where ``size`` does not divide the input. [B, H, W, C] -> [B, *size, C]. Sums are
    kept in float32 whatever the input's type.
    """
    if x.shape[1:3] == size:
        return x
    if x.shape[1] % size[0] == 0 and x.shape[2] % size[1] == 0:
        blocks = x.reshape(x.shape[0], size[0], x.shape[1] // size[0], size[1], x.shape[2] // size[1], -1)
        return blocks.mean(axis=(2, 4), dtype=jnp.float32).astype(x.dtype)

    def bins(length: int, parts: int) -> Array:
        matrix = np.zeros((parts, length), np.float32)
        for i in range(parts):
            start, stop = i * length // parts, -(-(i + 1) * length // parts)
            matrix[i, start:stop] = 1 / (stop - start)
        return jnp.asarray(matrix)

    rows, columns = bins(x.shape[1], size[0]), bins(x.shape[2], size[1])
    # Accelerators multiply float32 matrices in fewer bits unless told not to.
    pooled = jnp.einsum("ih,jw,bhwc->bijc", rows, columns, x.astype(jnp.float32), precision="highest")
    return pooled.astype(x.dtype)
