"""The decoders: from attributes back to the image, so that attributes cannot forget what they stand for."""

import math
from collections.abc import Sequence

import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from jax import Array

from jaxpath.layers import conv_general_dilated, uniform_init

_ROWS = np.array([[1, 3], [2, 0]])
"""Row of the kernel that carries x[i + s] to out[2 i + p], by p and s; 3 is a row of zeros."""


def conv_transpose(x: Array, kernel: Array) -> Array:
    """PyTorch's transposed convolution with kernel 3, stride 2, padding 1 and output padding 1.

    out[2 i + k - 1] += x[i] kernel[k] along each axis: [B, H, W, C] and [3, 3, C, D] -> [B, 2 H, 2 W, D].
    Flax's ``SAME`` gives the same picture shifted by one pixel. An even row of the output sees one row of
    ``x`` and an odd one two, so its four phases are one 2 x 2 convolution.
    """
    batch, height, width, channels = x.shape
    features = kernel.shape[-1]
    phases = jnp.pad(kernel, ((0, 1), (0, 1), (0, 0), (0, 0)))[_ROWS][:, :, _ROWS]  # [p, s, q, t, C, D]
    phases = phases.transpose(1, 3, 4, 0, 2, 5).reshape(2, 2, channels, 4 * features)
    out = conv_general_dilated(x, phases, (1, 1), ((0, 1), (0, 1)))
    out = out.reshape(batch, height, width, 2, 2, features).transpose(0, 1, 3, 2, 4, 5)
    return out.reshape(batch, 2 * height, 2 * width, features)


class ConvTranspose(nn.Module):
    """:func:`conv_transpose` with a bias.

    Attributes:
        features: D.
        lifted: The bias starts above 0, by its absolute value.
    """

    features: int
    lifted: bool = False

    @nn.compact
    def __call__(self, x: Array) -> Array:
        # PyTorch takes the outputs of a transposed convolution for its inputs here.
        init = uniform_init(9 * self.features)
        kernel = self.param("kernel", init["kernel_init"], (3, 3, x.shape[-1], self.features))
        bias = self.param("bias", self._start if self.lifted else init["bias_init"], (self.features,))
        return conv_transpose(x, kernel) + bias[None, None, None]

    def _start(self, key: Array, shape: tuple[int, ...]) -> Array:
        return jnp.abs(uniform_init(9 * self.features)["bias_init"](key, shape))


def upsample(x: Array, widths: Sequence[int]) -> Array:
    """Transposed convolutions with ReLU, each to twice the size. For a compact ``__call__``."""
    for place, width in enumerate(widths):
        x = nn.relu(ConvTranspose(width, name=f"up_{place}")(x))
    return x


def first_grid(image_shape: tuple[int, int, int], doublings: int) -> tuple[int, int]:
    """(H, W) of the grid that covers the image after ``doublings``: (28, 28, 1) and 2 -> (7, 7)."""
    return -(-image_shape[0] // 2**doublings), -(-image_shape[1] // 2**doublings)


class ConvDecoder(nn.Module):
    """Dense to a small grid, then transposed convolutions up to the image: MNIST (official code).

    The image is cut out where the doubled grid is larger.

    Attributes:
        image_shape: (H, W, C).
        grid_channels: Channels of the grid.
        widths: Channels of the transposed convolutions before the last one, which makes the image.
        nonnegative: A ReLU at the end, for images that are scaled to [0, 1].
    """

    image_shape: tuple[int, int, int]
    grid_channels: int
    widths: tuple[int, ...]
    nonnegative: bool

    @nn.compact
    def __call__(self, attributes: Array) -> Array:
        height, width, channels = self.image_shape
        grid = (*first_grid(self.image_shape, len(self.widths) + 1), self.grid_channels)
        x = nn.Dense(math.prod(grid), **uniform_init(attributes.shape[1]), name="grid")(attributes)
        x = upsample(x.reshape(-1, *grid), self.widths)
        # Our choice: a ReLU whose bias starts below 0 makes an all-black picture, from which no gradient
        # leads away; with the published initial values that happens in two runs of five.
        x = ConvTranspose(channels, lifted=self.nonnegative, name="image")(x)[:, :height, :width]
        return nn.relu(x) if self.nonnegative else x


class DenseDecoder(nn.Module):
    """Dense to a grid, transposed convolutions, dense to the image: QuickDraw, CIFAR-10 (official code).

    The attributes are those of :class:`ConvDecoder`; ``widths`` are all of the transposed convolutions.
    """

    image_shape: tuple[int, int, int]
    grid_channels: int
    widths: tuple[int, ...]
    nonnegative: bool

    @nn.compact
    def __call__(self, attributes: Array) -> Array:
        grid = (*first_grid(self.image_shape, len(self.widths)), self.grid_channels)
        x = nn.Dense(math.prod(grid), **uniform_init(attributes.shape[1]), name="grid")(attributes)
        x = upsample(x.reshape(-1, *grid), self.widths)
        x = x.reshape(x.shape[0], -1)
        x = nn.Dense(math.prod(self.image_shape), **uniform_init(x.shape[1]), name="image")(x)
        x = x.reshape(-1, *self.image_shape)
        return nn.relu(x) if self.nonnegative else x
