"""VGG-11/13/16/19 with and without BatchNorm as frozen, gateable classifiers.

Simonyan and Zisserman 2015, configurations A, B, D, E, in torchvision's layout: the convolutions are
``features.N``, then an adaptive average pool and three fully connected layers with dropout. On images
below 64 pixels the head is the one that CIFAR VGGs usually have: 512 wide, on the average over space.
``vgg16_gap`` and so on have one linear layer, ``classifier``, on the average over space (global average
pooling, Lin et al. 2014, arXiv 1312.4400): what a few thousand photographs can train on a given trunk.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax.numpy as jnp
from flax import linen as nn
from jax import Array
from jax.typing import DTypeLike

from jaxpath.gating import Taps
from jaxpath.layers import Conv, Dense, adaptive_average_pool, relu
from jaxpath.targets.family import Family, Released, Shapes, count_features
from jaxpath.targets.linen import batch_norm, compute_dtype, from_linen, make_preprocessing
from jaxpath.targets.pooling import ORDINARY, Pooling
from jaxpath.types import Gates, Target

_CONVOLUTIONS = {11: (1, 1, 2, 2, 2), 13: (2, 2, 2, 2, 2), 16: (2, 2, 3, 3, 3), 19: (2, 2, 4, 4, 4)}
"""Convolutions per stage; every stage ends in a max pool."""

_WIDTHS = (64, 128, 256, 512, 512)

_HEAD = (4096, 7)
"""torchvision's (hidden, pool_size)."""

_SMALL_HEAD = (512, 1)
"""For small images: five pools leave one pixel of 32, and torchvision's head would read it 49 times."""

_GAP, _LINEAR = "_gap", "classifier.weight"
"""What a name ends in where the head is one linear layer, and how the file calls its weight."""

_SMALL = 64
"""Pixels of the shorter side from which on a VGG has torchvision's head."""


class VGG(nn.Module):
    """Convolution stages with max pools, adaptive average pool, hidden dense layers, classifier.

    Attributes:
        stages: Convolutions per stage.
        batch_norm: A BatchNorm after each convolution.
        hidden: Width of the two hidden dense layers; 0 leaves them out.
        pool_size: Side of the grid that the adaptive pool leaves.
        pooling: How maps get smaller, at the max pools: torchvision's ``features.N``.
    """

    stages: Sequence[int]
    num_classes: int
    batch_norm: bool
    hidden: int = 4096
    pool_size: int = 7
    pooling: Pooling = ORDINARY
    dtype: Any = jnp.float32
    axis_name: str | None = None

    @nn.compact
    def __call__(
        self, images: Array, gates: Gates | None = None, *, train: bool = False
    ) -> tuple[Array, dict[str, Array]]:
        taps = Taps(gates)
        x = images
        index = 0  # of torchvision's features.N: convolutions, norms, relus and pools all count
        for width, count in zip(_WIDTHS, self.stages, strict=True):
            for _ in range(count):
                x = Conv(
                    width,
                    (3, 3),
                    padding=1,
                    dtype=self.dtype,
                    kernel_init=nn.initializers.variance_scaling(2.0, "fan_out", "normal"),
                    name=f"features_{index}",
                )(x)
                index += 1
                if self.batch_norm:
                    name = f"features_{index}"
                    x = batch_norm(train=train, axis_name=self.axis_name, dtype=self.dtype, name=name)(x)
                    index += 1
                x = taps(f"features.{index}", relu(x))
                index += 1
            # One row or column is left as it is, so that images below 32 pixels pass as well.
            window = (min(2, x.shape[1]), min(2, x.shape[2]))
            x = self.pooling.max_pool(f"features.{index}", x, window, window)
            index += 1
        # In float32 whatever the layers compute in: bfloat16 logits of size 10 are steps of 1/16.
        last = Dense(
            self.num_classes,
            dtype=jnp.float32,
            kernel_init=nn.initializers.normal(0.01),
            name="classifier_6" if self.hidden else "classifier",
        )
        if not self.hidden and self.pool_size == 1:
            return self.pooling.read_out("avgpool", x, last), taps.features
        x = adaptive_average_pool(x, (self.pool_size, self.pool_size))
        x = x.reshape(x.shape[0], -1)
        for layer in (0, 3) if self.hidden else ():
            x = Dense(
                self.hidden,
                dtype=self.dtype,
                kernel_init=nn.initializers.normal(0.01),
                name=f"classifier_{layer}",
            )(x)
            x = taps(f"classifier.{layer + 1}", relu(x))
            x = nn.Dropout(0.5, deterministic=not train)(x)
        return last(x), taps.features


def _vgg(
    depth: int,
    batch_norm: bool,
    *,
    num_classes: int = 1000,
    dtype: DTypeLike = "float32",
    image_size: int | tuple[int, int] | None = None,
    channels: int = 3,
    hidden: int | None = None,
    pool_size: int | None = None,
    pooling: Pooling = ORDINARY,
) -> Target:
    preprocessing = make_preprocessing(image_size, channels)
    usual_hidden, usual_pool = _SMALL_HEAD if min(preprocessing.crop) < _SMALL else _HEAD
    module = VGG(
        _CONVOLUTIONS[depth],
        num_classes,
        batch_norm,
        hidden=usual_hidden if hidden is None else hidden,
        pool_size=usual_pool if pool_size is None else pool_size,
        pooling=pooling,
        dtype=compute_dtype(dtype),
    )
    name = _name(depth, batch_norm) + ("" if module.hidden else _GAP)
    return from_linen(module, name=name, num_classes=num_classes, preprocessing=preprocessing)


def _vgg_gap(
    depth: int,
    batch_norm: bool,
    *,
    num_classes: int = 1000,
    dtype: DTypeLike = "float32",
    image_size: int | tuple[int, int] | None = None,
    channels: int = 3,
    pooling: Pooling = ORDINARY,
) -> Target:
    shape: dict[str, Any] = {"num_classes": num_classes, "image_size": image_size, "channels": channels}
    return _vgg(depth, batch_norm, dtype=dtype, hidden=0, pool_size=1, pooling=pooling, **shape)


def _name(depth: int, batch_norm: bool) -> str:
    return f"vgg{depth}_bn" if batch_norm else f"vgg{depth}"


def _recognise(shapes: Shapes) -> str | None:
    """By the convolutions, so that a trunk alone is known; its classifier may have any name but one."""
    return None if _LINEAR in shapes else _trunk_of(shapes)


def _recognise_gap(shapes: Shapes) -> str | None:
    trunk = _trunk_of(shapes)
    return trunk + _GAP if trunk is not None and _LINEAR in shapes else None


def _trunk_of(shapes: Shapes) -> str | None:
    convolutions, norms = count_features(shapes)
    depths = {sum(stages): depth for depth, stages in _CONVOLUTIONS.items()}
    return _name(depths[convolutions], norms > 0) if convolutions in depths else None


_KINDS = tuple((depth, norm) for norm in (False, True) for depth in _CONVOLUTIONS)

VGG_NET = Family(
    {_name(*kind): partial(_vgg, *kind) for kind in _KINDS},
    _recognise,
    first="features.0",
    last="classifier.6",
    # timm's names; its dense layers are convolutions over the whole grid.
    aliases={
        "pre_logits.fc1": "classifier.0",
        "pre_logits.fc2": "classifier.3",
        "head.fc": "classifier.6",
    },
    flattened="classifier.0",
    released={
        _name(*kind): Released(f"hf://timm/{_name(*kind)}.tv_in1k", "torchvision", "BSD-3-Clause")
        for kind in _KINDS
    },
)

VGG_GAP = Family(
    {_name(*kind) + _GAP: partial(_vgg_gap, *kind) for kind in _KINDS},
    _recognise_gap,
    first="features.0",
    last="classifier",
)
