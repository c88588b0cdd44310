"""What every network here shares: the convolution, the rectifier, pooling, initial values, its input."""

import functools
from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from flax.linen.dtypes import promote_dtype
from jax import Array, lax

from jaxpath import compiling
from jaxpath.compiling import computed_once
from jaxpath.cpu import convolution as cpu_convolution
from jaxpath.cpu import pooling as cpu_pooling
from jaxpath.types import Preprocessing
from jaxpath.windows import Pads, patches

__all__ = [
    "Conv",
    "Dense",
    "adaptive_average_pool",
    "conv_general_dilated",
    "gelu",
    "max_pool",
    "normalize",
    "patches",
    "relu",
    "silu",
    "uniform_init",
]


def normalize(images: Array, preprocessing: Preprocessing) -> Array:
    """Raw uint8 images [B, H, W, C] as a target's floating-point input, float32."""
    mean = jnp.asarray(preprocessing.mean, jnp.float32)
    std = jnp.asarray(preprocessing.std, jnp.float32)
    # One multiply-add per pixel: (x / 255 - mean) / std.
    scale, offset = 1 / (255 * std), mean / std
    return images.astype(jnp.float32) * scale[None, None, None] - offset[None, None, None]


def conv_general_dilated(
    lhs: Array,
    rhs: Array,
    window_strides: Sequence[int],
    padding: Pads | str,
    lhs_dilation: Sequence[int] | None = None,
    rhs_dilation: Sequence[int] | None = None,
    dimension_numbers: lax.ConvDimensionNumbers | None = None,
    feature_group_count: int = 1,
    precision: lax.PrecisionLike = None,
) -> Array:
    """``lax.conv_general_dilated`` for NHWC images and HWIO kernels.

    On a CPU it is :mod:`jaxpath.cpu`'s, the same up to rounding and up to a hundred times faster. Takes what
    :class:`flax.linen.Conv` passes, so it plugs in there.

    Args:
        lhs: Images [B, H, W, C].
        rhs: Kernel [h, w, C, D].
        window_strides: (vertical, horizontal).
        padding: Pixels ((top, bottom), (left, right)), or "SAME" or "VALID".

    Returns:
        [B, H', W', D].
    """
    strides = (window_strides[0], window_strides[1])
    if compiling.for_cpu() and _is_one(lhs_dilation) and _is_one(rhs_dilation):
        if feature_group_count == 1:
            return cpu_convolution.convolve(lhs, rhs, strides, padding, precision, hints=compiling.hints())
        if feature_group_count == lhs.shape[-1] == rhs.shape[-1]:
            return cpu_convolution.convolve_channels(
                lhs, rhs, strides, padding, precision, hints=compiling.hints()
            )
    return lax.conv_general_dilated(
        lhs,
        rhs,
        strides,
        padding,
        lhs_dilation,
        rhs_dilation,
        dimension_numbers=dimension_numbers or ("NHWC", "HWIO", "NHWC"),
        feature_group_count=feature_group_count,
        precision=precision,
    )


def _is_one(dilation: int | Sequence[int] | None) -> bool:
    return dilation is None or dilation == 1 or all(d == 1 for d in dilation)  # type: ignore[union-attr]


def _except_bias(inputs: Array, kernel: Array, bias: Array | None, *, dtype: Any) -> tuple[Any, ...]:
    """Inputs and kernel in the type in which a layer computes; its bias stays as it is."""
    return *promote_dtype(inputs, kernel, dtype=dtype), bias


class Conv(nn.Conv):
    """A :class:`flax.linen.Conv` that convolves by :func:`conv_general_dilated`.

    The bias is added in its own type and the sum rounded to the layer's: so the bias's gradient, a sum over
    images and places, is not one in bfloat16.
    """

    conv_general_dilated: Any = conv_general_dilated
    promote_dtype: Any = _except_bias

    def __call__(self, inputs: Array) -> Array:  # type: ignore[override]
        """[B, H, W, C] -> [B, H', W', D]."""
        return super().__call__(inputs).astype(self.dtype or inputs.dtype)


class Dense(nn.Dense):
    """A :class:`flax.linen.Dense` whose bias is added in its own type, as in :class:`Conv`."""

    promote_dtype: Any = _except_bias

    def __call__(self, inputs: Array) -> Array:
        """[..., C] -> [..., D]."""
        return super().__call__(inputs).astype(self.dtype or inputs.dtype)


@jax.custom_jvp
def relu(x: Array) -> Array:
    """``jax.nn.relu``, which is computed once, and whose gradient is read off its result and not off ``x``.

    So nobody but itself reads ``x``, and the convolution before it can be computed in the same loop.
    """
    return computed_once(jnp.maximum(x, 0))


@relu.defjvp
def _relu_jvp(primals: tuple[Array], tangents: tuple[Array]) -> tuple[Array, Array]:
    y = relu(*primals)
    return y, jnp.where(y > 0, *tangents, 0)


def gelu(x: Array) -> Array:
    """The exact GELU, as PyTorch's networks have it, computed once like :func:`relu`."""
    return computed_once(nn.gelu(x, approximate=False))


def silu(x: Array) -> Array:
    """``jax.nn.silu``, which is computed once, from an ``x`` that is computed once.

    So it is the same loop whether a gate follows or not: an exponential is rounded otherwise in another one.
    Its gradient reads ``x`` again, which a convolution's loop would then compute twice.
    """
    return computed_once(nn.silu(computed_once(x)))


def uniform_init(fan_in: int) -> dict[str, Any]:
    """PyTorch's default, U(-1/sqrt(fan_in), 1/sqrt(fan_in)), as ``kernel_init`` and ``bias_init`` of a layer.

    Its variance is a third of ``lecun_normal``'s, and its biases are not 0.
    """
    bound = fan_in**-0.5

    def init(key: Array, shape: Sequence[int], dtype: Any = jnp.float32) -> Array:
        return jax.random.uniform(key, tuple(shape), dtype, -bound, bound)

    return {"kernel_init": init, "bias_init": init}


def max_pool(
    x: Array,
    window: tuple[int, int],
    strides: tuple[int, int] | None = None,
    padding: Pads = ((0, 0), (0, 0)),
) -> Array:
    """Largest value of each window, [B, H, W, C] -> [B, H', W', C], as :func:`flax.linen.max_pool` gives it.

    On a CPU, values that tie share the gradient alike.

    Args:
        x: Images.
        window: (height, width).
        strides: (vertical, horizontal); None: the window's.
        padding: Pixels ((top, bottom), (left, right)), which are never the largest.
    """
    strides = strides or window
    if compiling.for_cpu():
        return cpu_pooling.max_pool(x, window, strides, padding)
    return nn.max_pool(x, window, strides, padding)


def adaptive_average_pool(x: Array, size: tuple[int, int]) -> Array:
    """PyTorch's adaptive average pool: bin i covers [floor(i n / size), ceil((i + 1) n / size)).

    Bins overlap where ``size`` does not divide the input. [B, H, W, C] -> [B, *size, C]. Sums are
    kept in float32 whatever the input's type.
    """
    if x.shape[1:3] == size:
        return x
    if compiling.platform() == "tpu":
        return _bins_on_tpu(x, size)
    divides = x.shape[1] % size[0] == 0 and x.shape[2] % size[1] == 0
    # On a CPU, sums of slices take a third of the time of a mean over blocks.
    if divides and not compiling.for_cpu():
        blocks = x.reshape(x.shape[0], size[0], x.shape[1] // size[0], size[1], x.shape[2] // size[1], -1)
        return blocks.mean(axis=(2, 4), dtype=jnp.float32).astype(x.dtype)
    return _average_bins(x, size)


def _bins_on_tpu(x: Array, size: tuple[int, int]) -> Array:
    """The same without a mean in float32 over blocks, for which XLA writes a float32 copy of the map."""
    rows, columns = (_bins(x.shape[axis], size[axis - 1]) for axis in (1, 2))
    inside = rows[:, None, :, None] & columns[None, :, None, :]  # [H, W, h, w]
    each = size[0] * size[1] <= _FEW_BINS and x.shape[1] * x.shape[2] >= _MANY_PIXELS
    sums = _masked_sums(x, inside) if each else _product_with_bins(x, inside)
    return (sums / inside.sum(axis=(0, 1))[None, ..., None].astype(np.float32)).astype(x.dtype)


_FEW_BINS, _MANY_PIXELS = 16, 20**2
"""With at most so many bins, and at least so many pixels, each bin is a sum of its own."""


def _masked_sums(x: Array, inside: np.ndarray) -> Array:
    # XLA adds most of these sums to the convolution that computes x, which is not read once more then. Where
    # there are few pixels, it joins sums of several maps instead, in kernels that take longer than a product.
    bins = inside.reshape(*inside.shape[:2], -1)
    sums = [jnp.where(bins[..., i, None], x, 0).sum((1, 2), dtype=jnp.float32) for i in range(bins.shape[2])]
    return jnp.stack(sums, axis=1).reshape(x.shape[0], *inside.shape[2:], x.shape[3])


def _product_with_bins(x: Array, inside: np.ndarray) -> Array:
    # Sums of a few thousand float32 numbers are rounded as those of a mean only if products are exact.
    precision = lax.Precision.HIGHEST if x.dtype == jnp.float32 else None
    return jnp.einsum(
        "bhwc,hwij->bijc", x, inside.astype(x.dtype), precision=precision, preferred_element_type=jnp.float32
    )


def _bins(length: int, parts: int) -> np.ndarray:
    """Which of ``length`` pixels are in which of ``parts`` bins, [length, parts]."""
    start = np.arange(parts) * length // parts
    end = -(-(np.arange(parts) + 1) * length // parts)
    pixels = np.arange(length)[:, None]
    return (start <= pixels) & (pixels < end)


@functools.partial(jax.jit, static_argnames="size", inline=True)
def _average_bins(x: Array, size: tuple[int, int]) -> Array:
    # Jitted, so that a call outside of any program compiles once and not once per slice. Sums of slices are
    # one pass over x; a matrix product would transpose it first, and means of the bins would copy each bin.
    pooled = x.astype(jnp.float32)
    for axis, parts in enumerate(size, start=1):
        length = x.shape[axis]
        slices = [lax.index_in_dim(pooled, i, axis, keepdims=False) for i in range(length)]
        bins = [slices[i * length // parts : -(-(i + 1) * length // parts)] for i in range(parts)]
        pooled = jnp.stack([functools.reduce(jnp.add, bin) / len(bin) for bin in bins], axis)
    return pooled.astype(x.dtype)
