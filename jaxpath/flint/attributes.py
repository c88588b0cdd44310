"""The attribute functions Psi: from a target's feature maps to a small dictionary of non-negative numbers."""

from collections.abc import Sequence

import jax.numpy as jnp
from flax import linen as nn
from jax import Array

from jaxpath.layers import Conv, adaptive_average_pool, uniform_init

_GRID = 3
"""Side of the grid to which maps are averaged before the dense layer."""


class Attributes(nn.Module):
    """conv3x3 for each map, then (if there are several) a mix of them, 3 x 3 average pool, dense.

    One map and slope 0.01 is the published form for MNIST, two maps and slope 0 that for QuickDraw and
    CIFAR-10 (official code). More maps, and maps of any size, are ours: each is strided to about the last
    one's size and then averaged to it exactly.

    Attributes:
        num_attributes: J.
        width: Channels of every convolution.
        slope: Of the activations below 0; 0 is a ReLU. Above it, attributes can be slightly negative.
    """

    num_attributes: int
    width: int = 64
    slope: float = 0.01

    @nn.compact
    def __call__(self, maps: Sequence[Array]) -> Array:
        """Attributes [B, J] of feature maps [B, H, W, C], from shallow to deep."""
        size = maps[-1].shape[1:3]
        embedded = [self._embed(x, size, f"embed_{place}") for place, x in enumerate(maps)]
        x = embedded[0]
        if len(maps) > 1:
            x = self._conv(jnp.concatenate(embedded, axis=-1), 1, "mix")
        x = adaptive_average_pool(x, (_GRID, _GRID)).reshape(x.shape[0], -1)
        x = nn.Dense(self.num_attributes, **uniform_init(x.shape[1]), name="dense")(x)
        return nn.leaky_relu(x, self.slope)

    def _embed(self, x: Array, size: tuple[int, ...], name: str) -> Array:
        """One map, brought to ``size`` (H, W)."""
        x = self._conv(x.astype(jnp.float32), -(-x.shape[1] // size[0]), name)
        return adaptive_average_pool(x, (size[0], size[1]))

    def _conv(self, x: Array, stride: int, name: str) -> Array:
        init = uniform_init(9 * x.shape[-1])
        x = Conv(self.width, (3, 3), (stride, stride), padding=1, **init, name=name)(x)
        return nn.leaky_relu(x, self.slope)
