"""How a network's maps get smaller, as an argument of the network."""

import dataclasses
from collections.abc import Callable, Sequence

import jax.numpy as jnp
from flax import linen as nn
from jax import Array

from jaxpath import layers

Halve = Callable[[Array], Array]
"""Brings a map [B, H, W, C] with any channels to [B, ceil(H / 2), ceil(W / 2), C]."""


@dataclasses.dataclass(frozen=True)
class Pooling:
    """Pools as published; a subclass pools otherwise where it likes.

    Networks call these methods inside their compact ``__call__``, each with the torchvision name of the
    place, so a subclass may make Linen modules in them.
    """

    def transition(self, place: str, x: Array) -> Halve | None:
        """What follows the convolutions of a stage transition in place of their stride of 2.

        Args:
            place: Such as ``"layer3"``.
            x: Input of the transition, [B, H, W, C].

        Returns:
            None leaves the stride to the convolutions.
        """
        del place, x
        return None

    def max_pool(
        self,
        place: str,
        x: Array,
        window: tuple[int, int],
        strides: tuple[int, int],
        padding: Sequence[tuple[int, int]] = ((0, 0), (0, 0)),
    ) -> Array:
        """Takes the largest value of each window."""
        del place
        return layers.max_pool(x, window, strides, padding)

    def average_pool(self, place: str, x: Array, window: tuple[int, int]) -> Array:
        """Takes the mean of windows side by side."""
        del place
        return nn.avg_pool(x, window, window)

    def read_out(self, place: str, x: Array, classifier: nn.Dense) -> Array:
        """Logits [B, K] of the last map [B, H, W, C]: the classifier of its mean over space."""
        del place
        return classifier(x.mean(axis=(1, 2), dtype=jnp.float32))


ORDINARY = Pooling()
"""As published."""
