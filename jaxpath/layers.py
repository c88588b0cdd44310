"""Layers that every network here shares: the convolution, chosen by shape and device, and pooling."""

import contextlib
import contextvars
import functools
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax import Array, lax

_SMALL = 7
"""Output width up to which one product with what each pixel sees beats XLA's own convolution on a CPU."""

_WINOGRAD_CHANNELS = 32
"""Input and output channels from which Winograd's products beat XLA's own 3 x 3 convolution on a CPU."""

_WINOGRAD_BLOCKS = 64
"""Blocks of outputs in a batch from which they pay for transforming the kernel."""

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

_DIRECT = contextvars.ContextVar("direct", default=False)

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

    On a CPU, XLA's convolution is up to a hundred times slower than one product with what each pixel sees
    where the output is a few pixels wide, up to three times slower in the gradient of a strided one, up to
    2.6 times slower than Winograd's products from 32 channels, and ten times slower in the gradient of one
    inside a loop; docs/performance.md has the figures. There, it can be differentiated in reverse mode only.
    Accelerators keep XLA's own. Takes what :class:`flax.linen.Conv` passes, so it plugs in there.

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
    return _choose(x, kernel, strides, padding)(x, kernel, strides, padding, precision)


@contextlib.contextmanager
def direct_sums() -> Iterator[None]:
    """Convolutions that are traced within are sums of products of weight and value, one by one.

    For those who take a trace apart: the products of Winograd's form are not those of the convolution.
    """
    token = _DIRECT.set(True)
    try:
        yield
    finally:
        _DIRECT.reset(token)


def _choose(x, kernel, strides, padding) -> Callable[..., Array]:
    """The fastest of the forms below."""
    height, width = ((x.shape[i + 1] + sum(padding[i]) - kernel.shape[i]) // strides[i] + 1 for i in (0, 1))
    if kernel.shape[:2] == (1, 1) or width <= _SMALL:
        return _gathered_product
    three = kernel.shape[:2] == (3, 3) and strides == (1, 1) and x.dtype == jnp.float32
    blocks = x.shape[0] * -(-height // 4) * -(-width // 4)
    large = min(kernel.shape[2:]) >= _WINOGRAD_CHANNELS and blocks >= _WINOGRAD_BLOCKS
    if three and large and not _DIRECT.get():
        return _winograd_products
    return _xla_convolution


def _forward(x, kernel, strides, padding, precision):
    return _cpu_convolution(x, kernel, strides, padding, precision), (x, kernel)


def _backward(strides, padding, precision, residuals, cotangent):
    x, kernel = residuals

    def gradients(form: Callable[..., Array]) -> tuple[Array, Array]:
        """With respect to the images and to the kernel; compiled, one that is not used costs nothing."""
        _, pull = jax.vjp(lambda x, kernel: form(x, kernel, strides, padding, precision), x, kernel)
        return pull(cotangent)

    form = _choose(x, kernel, strides, padding)
    if form is _gathered_product:
        return gradients(form)
    if strides == (1, 1):
        around = tuple(
            (size - 1 - low, size - 1 - high)
            for size, (low, high) in zip(kernel.shape[:2], padding, strict=True)
        )
        to_x = form(cotangent, kernel, strides, around, precision, flip=True)
    else:
        to_x, _ = gradients(_shifted_products)
    _, to_kernel = gradients(_xla_convolution)
    return to_x, to_kernel


_cpu_convolution.defvjp(_forward, _backward)


def _gathered_product(x, kernel, strides, padding, precision) -> Array:
    """What each output pixel sees, side by side, times the kernel as one matrix (im2col)."""
    seen = patches(x, kernel.shape[:2], strides, padding)
    return jnp.einsum("bhwk,kd->bhwd", seen, kernel.reshape(-1, kernel.shape[-1]), precision=precision)


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


# These two take ``flip`` for the gradient with respect to the images: taps from the last to the first, their
# matrices transposed.


def _xla_convolution(x, kernel, strides, padding, precision, *, flip: bool = False) -> Array:
    if flip:
        # Written out: inside a loop, XLA's own transposed convolution falls back to a slow kernel.
        kernel = kernel[::-1, ::-1].swapaxes(2, 3)
    return lax.conv_general_dilated(
        x, kernel, strides, padding, dimension_numbers=_STANDARD, precision=precision
    )


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
    x = _combine(_BLOCK, [x[:, i : i + 4 * rows - 3 : 4] for i in range(6)])  # [6, B, rows, W, C]
    x = _combine(
        _BLOCK, [x[:, :, :, j : j + 4 * columns - 3 : 4] for j in range(6)]
    )  # [6, 6, B, rows, columns, C]
    to_taps = _TAPS[:, ::-1] if flip else _TAPS
    taps = _combine(to_taps, list(kernel))  # [6, 3, C, D]
    taps = _combine(to_taps, [taps[:, j] for j in range(3)])  # [6, 6, C, D]
    product = "bapd,bacd->bapc" if flip else "bapc,bacd->bapd"
    y = jnp.einsum(product, x.reshape(6, 6, -1, channels), taps, precision=precision)
    y = y.reshape(6, 6, batch, rows, columns, -1)
    y = _combine(_OUTPUT, [y[:, i] for i in range(6)])  # [4 rows, 6 columns, B, rows, columns, D]
    y = _combine(_OUTPUT, [y[:, j] for j in range(6)])  # [4 columns, 4 rows, B, rows, columns, D]
    y = y.transpose(2, 3, 1, 4, 0, 5).reshape(batch, 4 * rows, 4 * columns, -1)
    return y[:, :height, :width]


def _combine(matrix: np.ndarray, parts: Sequence[Array]) -> Array:
    """Each row's combination of the parts, written out: [n, m] and m arrays -> n of them, stacked."""
    rows = ([float(f) * part for f, part in zip(row, parts, strict=True) if f] for row in matrix)
    return jnp.stack([functools.reduce(jnp.add, terms) for terms in rows])


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
    if x.shape[1] % size[0] == 0 and x.shape[2] % size[1] == 0:
        blocks = x.reshape(x.shape[0], size[0], x.shape[1] // size[0], size[1], x.shape[2] // size[1], -1)
        return blocks.mean(axis=(2, 4), dtype=jnp.float32).astype(x.dtype)
    # Sums of slices compile to one pass; a product wants the channels elsewhere, a mean a copy of each bin.
    pooled = x.astype(jnp.float32)
    for axis, parts in enumerate(size, start=1):
        length = x.shape[axis]
        slices = [lax.index_in_dim(pooled, i, axis, keepdims=False) for i in range(length)]
        bins = [slices[i * length // parts : -(-(i + 1) * length // parts)] for i in range(parts)]
        pooled = jnp.stack([functools.reduce(jnp.add, bin) / len(bin) for bin in bins], axis)
    return pooled.astype(x.dtype)
