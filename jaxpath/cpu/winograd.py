"""Winograd's form of a 3 x 3 convolution."""

import functools
from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jaxpath.cpu.forms import Window

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


def winograd_products(x: Array, kernel: Array, window: Window) -> Array:
    """A 3 x 3 convolution of stride 1 by blocks of 4 x 4 outputs: 36 products where there were 144.

    F(4 x 4, 3 x 3) of Lavin and Gray (CVPR 2016, section 4.3). Rounding is some ten times that of a direct
    sum, 1e-5 of the largest output.
    """
    batch, _, _, channels = x.shape
    height, width = (x.shape[i] + sum(window.padding[i - 1]) - 2 for i in (1, 2))
    rows, columns = -(-height // 4), -(-width // 4)
    (top, bottom), (left, right) = window.padding
    to_blocks = ((0, 0, 0), (top, bottom + 4 * rows - height, 0), (left, right + 4 * columns - width, 0))
    x = lax.pad(x, jnp.zeros((), x.dtype), (*to_blocks, (0, 0, 0)))
    views = [x[:, i : i + 4 * rows - 3 : 4] for i in range(6)]  # 6 of [B, rows, W, C]
    # A flipped kernel is not flipped as a whole, which would copy it, but in its transform and its product.
    to_taps = _TAPS[:, ::-1] if window.flip else _TAPS
    taps = jnp.stack(_combine(to_taps, list(kernel)))  # [6, 3, C, D]
    factors = []
    for half in (slice(3), slice(3, 6)):
        lines = jnp.stack(_combine(_BLOCK[half], views))  # [3, B, rows, W, C]
        blocks = _combine(_BLOCK, [lines[:, :, :, j : j + 4 * columns - 3 : 4] for j in range(6)])
        kernels = _combine(to_taps, [taps[half, j] for j in range(3)])
        pairs = zip(blocks, kernels, strict=True)
        factors.append([(block.reshape(3, -1, channels), kernel) for block, kernel in pairs])
    # XLA computes such a product on one thread, but several side by side where more than eight are ready at
    # once: hence twelve. The barriers make it start all of them together and keep their buffers separate.
    factors = lax.optimization_barrier(factors)
    product = "bpd,bcd->bpc" if window.flip else "bpc,bcd->bpd"
    products = [[jnp.einsum(product, *pair, precision=window.precision) for pair in half] for half in factors]
    products, _ = lax.optimization_barrier((products, factors))
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
