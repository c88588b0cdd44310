"""A network so small that compiling it takes no time, with competitions at every pixel and after the pool."""

import flax.linen as nn

from jaxpath import targets
from jaxpath.gating import Pointwise, Taps
from jaxpath.layers import relu
from jaxpath.targets.lwta import Competing
from jaxpath.types import Preprocessing


class TinyNet(nn.Module):
    """Dense at every pixel, pool, two dense layers."""

    competitors: int = 2
    axis_name: str | None = None

    @nn.compact
    def __call__(self, images, gates=None, *, train=False, keys=None):
        taps = Taps(gates)
        competes = self.competitors > 1
        activate = Competing(taps, self.competitors, keys) if competes else Pointwise(taps, relu)
        x = activate(nn.Dense(6)(images), "pixels")
        x = activate(nn.Dense(4)(x.mean(axis=(1, 2))), "pooled")
        return nn.Dense(3)(x), taps.features, activate.competition


def make_tiny(competitors: int = 2):
    preprocessing = Preprocessing(None, (3, 4), mean=(0.5,), std=(0.5,))
    return targets.from_linen(TinyNet(competitors), name="tiny", num_classes=3, preprocessing=preprocessing)
