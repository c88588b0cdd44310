"""Layers that every network here shares: the convolution, chosen by shape and device, and pooling."""

import functools
import math
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax import Array, lax

from jaxpath.compiling import barriers_hold, computed_once, has_wide_vectors

_SMALL = 7
"""Output width up to which one product with what each pixel sees beats XLA's own convolution on a CPU."""

_WINOGRAD_CHANNELS = 64
"""Input and output channels from which Winograd's products beat XLA's own 3 x 3 convolution on a CPU."""

_WINOGRAD_BLOCKS = 64
"""Blocks of outputs in a batch from which they pay for transforming the kernel."""

_FEW_TERMS = 32
"""Products in a sum up to which the sum, written out, beats XLA's own convolution on a CPU."""

_TERMS = 160
"""The same, for outputs that fit into one vector of 16 numbers; of twice as many XLA makes no vectors."""

_PIXELS = 4096
"""Output pixels of a batch from which it pays for compiling such a sum, a quarter of a second."""

# Lavin and Gray's B, G and A, transposed as they are applied.
_BLOCK = np.array(
    [
        [4, 0, -5, 0, 1, 0],
        [0, -4, -4, 1, 1, 0],
        [0, 4, -4, -1, 1, 0],
        [0, -2, -1, 2, 1, 0],
        [0, 2, -1, -2, 1, 0],
        [0, 4, 0, -5, 0, 1],
    ]
)
_TAPS = np.array([[6, 0, 0], [-4, -4, -4], [-4, 4, -4], [1, 2, 4], [1, -2, 4], [0, 0, 24]], np.float32) / 24
_OUTPUT = np.array([[1, 1, 1, 1, 1, 0], [0, 1, -1, 2, -2, 0], [0, 1, 1, 4, 4, 0], [0, 1, -1, 8, -8, 1]])

_DIRECT = jax.make_user_context(default_value=False)

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
    *,
    read_once: bool = False,
) -> Array:
    """``lax.conv_general_dilated`` for NHWC images and HWIO kernels, chosen by shape on a CPU.

    On a CPU, XLA's convolution is up to a hundred times slower than one product with what each pixel sees
    where the output is a few pixels wide, up to three times slower in the gradient of a strided one, up to
    2.5 times slower than Winograd's products from 64 channels, up to seven times slower than a loop over the
    pixels with up to 16 channels or few products, and ten times slower in the gradient of one inside a loop;
    docs/performance.md has the figures. There, it can be differentiated in reverse mode only. Accelerators
    keep XLA's own. Takes what :class:`flax.linen.Conv` passes, so it plugs in there.

    Args:
        lhs: Images [B, H, W, C].
        rhs: Kernel [h, w, C, D].
        window_strides: (vertical, horizontal).
        padding: Pixels ((top, bottom), (left, right)), or "SAME" or "VALID".
        read_once: One short operation reads the result, such as a normalisation with constants, and one its
            gradient with respect to the images: they may be computed in the same loop.

    Returns:
        [B, H', W', D].
    """
    strides = tuple(window_strides)
    dense = feature_group_count == 1 and _is_one(lhs_dilation) and _is_one(rhs_dilation)
    if dense and jax.default_backend() == "cpu":
        if isinstance(padding, str):
            padding = lax.padtype_to_pads(lhs.shape[1:3], rhs.shape[:2], strides, padding)
        # Written out, it would be computed by each reader anew if barriers did not hold.
        loop = (_one_loop if read_once else _one_loop_of_its_own) if barriers_hold() else None
        return _cpu_convolution(lhs, rhs, strides, tuple(map(tuple, padding)), precision, loop)
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


@functools.partial(jax.custom_vjp, nondiff_argnums=(2, 3, 4, 5))
def _cpu_convolution(x, kernel, strides, padding, precision, loop) -> Array:
    form = _choose(x.shape, kernel.shape, x.dtype, strides, padding, loop)
    return form(x, kernel, strides, padding, precision)


def direct_sums() -> AbstractContextManager[None]:
    """Convolutions that are traced within are one operation each, and sums of products of weight and value.

    For those who take a trace apart: the products of Winograd's form are not those of the convolution.
    """
    return _DIRECT(True)


def _choose(shape, kernel, dtype, strides, padding, loop) -> Callable[..., Array]:
    """The fastest of the forms below for images and a kernel of these shapes; ``loop`` is one of them."""
    height, width = ((shape[i + 1] + sum(padding[i]) - kernel[i]) // strides[i] + 1 for i in (0, 1))
    if kernel[:2] == (1, 1) or width <= _SMALL:
        return _gathered_product
    if dtype != jnp.float32 or _DIRECT.value:
        return _xla_convolution
    terms, pixels = math.prod(kernel[:3]), shape[0] * height * width
    narrow = kernel[3] <= 16 and terms <= _TERMS and has_wide_vectors()
    if loop is not None and pixels >= _PIXELS and (narrow or terms <= _FEW_TERMS):
        return loop
    blocks = shape[0] * -(-height // 4) * -(-width // 4)
    large = min(kernel[2:]) >= _WINOGRAD_CHANNELS and blocks >= _WINOGRAD_BLOCKS
    if kernel[:2] == (3, 3) and strides == (1, 1) and large:
        return _winograd_products
    return _xla_convolution


def _forward(x, kernel, strides, padding, precision, loop):
    return _cpu_convolution(x, kernel, strides, padding, precision, loop), (x, kernel)


def _backward(strides, padding, precision, loop, residuals, cotangent):
    x, kernel = residuals

    def gradients(form: Callable[..., Array]) -> tuple[Array, Array]:
        """With respect to the images and to the kernel; compiled, one that is not used costs nothing."""
        _, pull = jax.vjp(lambda x, kernel: form(x, kernel, strides, padding, precision), x, kernel)
        return pull(cotangent)

    if _choose(x.shape, kernel.shape, x.dtype, strides, padding, None) is _gathered_product:
        return gradients(_gathered_product)
    if strides == (1, 1):
        around = tuple(
            (size - 1 - low, size - 1 - high)
            for size, (low, high) in zip(kernel.shape[:2], padding, strict=True)
        )
        flipped = (*kernel.shape[:2], kernel.shape[3], kernel.shape[2])
        form = _choose(cotangent.shape, flipped, x.dtype, strides, around, loop)
        if form is loop:
            to_x = _cpu_convolution(cotangent, _flip(kernel), strides, around, precision, loop)
        else:
            to_x = form(cotangent, kernel, strides, around, precision, flip=True)
    else:
        to_x, _ = gradients(_shifted_products)
    _, to_kernel = gradients(_xla_convolution)
    return to_x, to_kernel


_cpu_convolution.defvjp(_forward, _backward)


def _shifted_products(x, kernel, strides, padding, precision) -> Array:
    """Sum over the kernel's taps of (a shifted, strided view of x) times (that tap's matrix)."""
    views = _shifted_views(x, kernel.shape[:2], strides, padding)
    taps = kernel.reshape(-1, *kernel.shape[2:])
    products = (
        jnp.einsum("bhwc,cd->bhwd", view, tap, precision=precision)
        for view, tap in zip(views, taps, strict=True)
    )
    return functools.reduce(jnp.add, products)


def _shifted_views(x, size, strides, padding) -> list[Array]:
    """What each tap of a kernel of ``size`` sees of x, row by row of the kernel, [B, H', W', C]."""
    batch, _, _, channels = x.shape
    # Not jnp.pad: the gradient of a convolution with much padding cuts the edges off.
    x = lax.pad(x, jnp.zeros((), x.dtype), ((0, 0, 0), *((*pair, 0) for pair in padding), (0, 0, 0)))
    # From the first output pixel's view of a tap to its last one's.
    tall, wide = ((x.shape[i + 1] - size[i]) // strides[i] * strides[i] + 1 for i in (0, 1))
    return [
        lax.slice(x, (0, i, j, 0), (batch, i + tall, j + wide, channels), (1, *strides, 1))
        for i in range(size[0])
        for j in range(size[1])
    ]


def _one_loop(x, kernel, strides, padding, precision) -> Array:
    """The sum written out, value times row of the kernel: XLA makes one loop over the pixels of all of it.

    A row of up to 16 outputs is one vector. What reads the result point by point gets into the loop.
    """
    del precision
    # Each pixel reads all of them: what computes them must not get into the loop.
    x, kernel = computed_once(x), computed_once(kernel)
    rows = kernel.reshape(-1, 1, 1, 1, kernel.shape[-1])
    views = _shifted_views(x, kernel.shape[:2], strides, padding)
    values = [view[..., i : i + 1] for view in views for i in range(view.shape[-1])]
    # Eight sums at once: an addition need not wait for the one before it.
    products = [value * row for value, row in zip(values, rows, strict=True)]
    sums = [functools.reduce(jnp.add, products[i::8]) for i in range(min(8, len(products)))]
    return functools.reduce(jnp.add, sums)


def _one_loop_of_its_own(*arguments: Any) -> Array:
    return computed_once(_one_loop(*arguments))


# The others take ``flip`` for the gradient with respect to the images: taps from the last to the first, their
# matrices transposed.


def _gathered_product(x, kernel, strides, padding, precision, *, flip: bool = False) -> Array:
    """What each output pixel sees, side by side, times the kernel as one matrix (im2col)."""
    kernel = _flip(kernel) if flip else kernel
    seen = patches(x, kernel.shape[:2], strides, padding)
    return jnp.einsum("bhwk,kd->bhwd", seen, kernel.reshape(-1, kernel.shape[-1]), precision=precision)


def _xla_convolution(x, kernel, strides, padding, precision, *, flip: bool = False) -> Array:
    # Inside a loop, XLA's own transposed convolution falls back to a slow kernel.
    kernel = _flip(kernel) if flip else kernel
    return lax.conv_general_dilated(
        x, kernel, strides, padding, dimension_numbers=_STANDARD, precision=precision
    )


def _flip(kernel: Array) -> Array:
    return kernel[::-1, ::-1].swapaxes(2, 3)


def _winograd_products(x, kernel, strides, padding, precision, *, flip: bool = False) -> Array:
    """A 3 x 3 convolution of stride 1 by blocks of 4 x 4 outputs: 36 products where there were 144.

    F(4 x 4, 3 x 3) of Lavin and Gray (CVPR 2016, section 4.3). Rounding is some ten times that of a direct
    sum, 1e-5 of the largest output.
    """
    del strides
    batch, _, _, channels = x.shape
    height, width = (x.shape[i] + sum(padding[i - 1]) - 2 for i in (1, 2))
    rows, columns = -(-height // 4), -(-width // 4)
    (top, bottom), (left, right) = padding
    to_blocks = ((0, 0, 0), (top, bottom + 4 * rows - height, 0), (left, right + 4 * columns - width, 0))
    x = lax.pad(x, jnp.zeros((), x.dtype), (*to_blocks, (0, 0, 0)))
    views = [x[:, i : i + 4 * rows - 3 : 4] for i in range(6)]  # 6 of [B, rows, W, C]
    to_taps = _TAPS[:, ::-1] if flip else _TAPS
    taps = jnp.stack(_combine(to_taps, list(kernel)))  # [6, 3, C, D]
    factors = []
    for half in (slice(3), slice(3, 6)):
        seen = jnp.stack(_combine(_BLOCK[half], views))  # [3, B, rows, W, C]
        blocks = _combine(_BLOCK, [seen[:, :, :, j : j + 4 * columns - 3 : 4] for j in range(6)])
        kernels = _combine(to_taps, [taps[half, j] for j in range(3)])
        pairs = zip(blocks, kernels, strict=True)
        factors.append([(block.reshape(3, -1, channels), kernel) for block, kernel in pairs])
    # XLA computes such a product on one thread, but several side by side where more than eight are ready at
    # once. Hence twelve of them, and none begins before all can; and memory that one has read is not given
    # to another, which would have to wait for it.
    factors = computed_once(factors)
    product = "bpd,bcd->bpc" if flip else "bpc,bcd->bpd"
    products = [[jnp.einsum(product, *pair, precision=precision) for pair in half] for half in factors]
    products, _ = computed_once((products, factors))
    by_row = [jnp.stack([part[i] for part in half]) for half in products for i in range(3)]  # 6 of [6, P, D]
    by_column = jnp.stack(_combine(_OUTPUT, by_row), axis=1)  # [6, 4, P, D]
    y = jnp.stack(_combine(_OUTPUT, list(by_column)))  # [4 columns, 4 rows, P, D]
    y = y.reshape(4, 4, batch, rows, columns, -1)
    y = y.transpose(2, 3, 1, 4, 0, 5).reshape(batch, 4 * rows, 4 * columns, -1)
    return y[:, :height, :width]


def _combine(matrix: np.ndarray, parts: Sequence[Array]) -> list[Array]:
    """Each row's combination of the parts, written out: [n, m] and m arrays -> n of them."""
    rows = ([float(f) * part for f, part in zip(row, parts, strict=True) if f] for row in matrix)
    return [functools.reduce(jnp.add, terms) for terms in rows]


Conv = functools.partial(nn.Conv, conv_general_dilated=conv_general_dilated)
"""A :class:`flax.linen.Conv` that convolves by :func:`conv_general_dilated`."""

ConvReadOnce = functools.partial(
    nn.Conv, conv_general_dilated=functools.partial(conv_general_dilated, read_once=True)
)
"""A :class:`Conv` whose result one short operation reads."""


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


def uniform_init(fan_in: int) -> dict[str, Any]:
    """PyTorch's default, U(-1/sqrt(fan_in), 1/sqrt(fan_in)), as ``kernel_init`` and ``bias_init`` of a layer.

    Its variance is a third of ``lecun_normal``'s, and its biases are not 0.
    """
    bound = fan_in**-0.5

    def init(key: Array, shape: Sequence[int], dtype: Any = jnp.float32) -> Array:
        return jax.random.uniform(key, tuple(shape), dtype, -bound, bound)

    return {"kernel_init": init, "bias_init": init}


def patches(
    x: Array,
    size: tuple[int, int],
    strides: tuple[int, int] = (1, 1),
    padding: Sequence[tuple[int, int]] = ((0, 0), (0, 0)),
) -> Array:
    """The pixels under a window of ``size`` at each place, side by side: [B, H, W, C] -> [B, H', W', h w C].

    A convolution is a product with them, its kernel [h, w, C, D] read as [h w C, D].
    """
    return jnp.concatenate(_shifted_views(x, size, strides, padding), axis=-1)


def max_pool(
    x: Array,
    window: tuple[int, int],
    strides: tuple[int, int] | None = None,
    padding: Sequence[tuple[int, int]] = ((0, 0), (0, 0)),
) -> Array:
    """Largest value of each window, [B, H, W, C] -> [B, H', W', C], as :func:`flax.linen.max_pool` gives it.

    On a CPU it is the maximum of shifted views, of rows and then of columns: the gradient of
    ``lax.reduce_window`` takes thirty times as long there. Where values tie, the views share the gradient
    alike.

    Args:
        x: Images.
        window: (height, width).
        strides: (vertical, horizontal); None: the window's.
        padding: Pixels ((top, bottom), (left, right)), which are never the largest.
    """
    strides = strides or window
    if jax.default_backend() != "cpu":
        return nn.max_pool(x, window, strides, padding)
    x = lax.pad(x, jnp.array(-jnp.inf, x.dtype), ((0, 0, 0), *((*pair, 0) for pair in padding), (0, 0, 0)))
    for axis, (size, stride) in enumerate(zip(window, strides, strict=True), start=1):
        span = (x.shape[axis] - size) // stride * stride + 1
        views = (lax.slice_in_dim(x, i, i + span, stride, axis) for i in range(size))
        x = functools.reduce(jnp.maximum, views)
    return x


def adaptive_average_pool(x: Array, size: tuple[int, int]) -> Array:
    """PyTorch's adaptive average pool: bin i covers [floor(i n / size), ceil((i + 1) n / size)).

    Bins overlap where ``size`` does not divide the input. [B, H, W, C] -> [B, *size, C]. Sums are
    kept in float32 whatever the input's type.
    """
    if x.shape[1:3] == size:
        return x
    if jax.default_backend() != "cpu" and x.shape[1] % size[0] == 0 and x.shape[2] % size[1] == 0:
        blocks = x.reshape(x.shape[0], size[0], x.shape[1] // size[0], size[1], x.shape[2] // size[1], -1)
        return blocks.mean(axis=(2, 4), dtype=jnp.float32).astype(x.dtype)
    return _average_bins(x, size)


@functools.partial(jax.jit, static_argnames="size", inline=True)
def _average_bins(x: Array, size: tuple[int, int]) -> Array:
    # One program also where it is called alone, not one for each slice.
    # Sums of slices compile to one pass, on a CPU three times as fast as a mean over blocks; a product wants
    # the channels elsewhere, a mean of each bin a copy of it.
    pooled = x.astype(jnp.float32)
    for axis, parts in enumerate(size, start=1):
        length = x.shape[axis]
        slices = [lax.index_in_dim(pooled, i, axis, keepdims=False) for i in range(length)]
        bins = [slices[i * length // parts : -(-(i + 1) * length // parts)] for i in range(parts)]
        pooled = jnp.stack([functools.reduce(jnp.add, bin) / len(bin) for bin in bins], axis)
    return pooled.astype(x.dtype)
