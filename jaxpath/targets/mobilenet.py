"""MobileNetV2 (Sandler et al. 2018, arXiv 1801.04381) at width 1.0, in torchvision's layout.

Blocks widen, convolve every channel on its own, and narrow again without an activation; narrow ends of the
same shape are added. Every ReLU6 is a site. Strides are those for 224 pixels, whatever the images' size: of
32 pixels they leave one before the average. Submodules carry torchvision's names, with ``_`` before an index.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax.numpy as jnp
from flax import linen as nn
from jax import Array
from jax.typing import DTypeLike

from jaxpath.gating import Taps
from jaxpath.layers import Conv
from jaxpath.targets.family import Family, Released, Shapes
from jaxpath.targets.linen import batch_norm, compute_dtype, from_linen, make_preprocessing
from jaxpath.types import Gates, Target

_STAGES = (
    (1, 16, 1, 1),
    (6, 24, 2, 2),
    (6, 32, 3, 2),
    (6, 64, 4, 2),
    (6, 96, 3, 1),
    (6, 160, 3, 2),
    (6, 320, 1, 1),
)
"""(widening t, channels c, blocks n, stride s of the first block): the paper's table 2."""

_kaiming = nn.initializers.variance_scaling(2.0, "fan_out", "normal")


class InvertedResidual(nn.Module):
    """1x1 that widens, 3x3 of every channel on its own, 1x1 that narrows: two sites.

    Attributes:
        place: Name in torchvision's network, such as ``"features.2"``.
        channels: Of the result.
        widening: Channels in between, per channel that comes in; 1 leaves out the first 1x1 and its site.
        stride: Of the 3x3.
        conv_norm: See :func:`_conv_norm`.
    """

    place: str
    channels: int
    widening: int
    stride: int
    conv_norm: Callable[..., Array]

    @nn.compact
    def __call__(self, x: Array, taps: Taps) -> Array:
        hidden, index = self.widening * x.shape[-1], 0
        y = x
        if self.widening > 1:
            y = self.conv_norm(y, hidden, names=("conv_0_0", "conv_0_1"))
            y = taps(f"{self.place}.conv.0.2", nn.relu6(y))
            index = 1
        names = (f"conv_{index}_0", f"conv_{index}_1")
        y = self.conv_norm(y, hidden, kernel=3, stride=self.stride, each_channel=True, names=names)
        y = taps(f"{self.place}.conv.{index}.2", nn.relu6(y))
        y = self.conv_norm(y, self.channels, names=(f"conv_{index + 1}", f"conv_{index + 2}"))
        return x + y if self.stride == 1 and x.shape[-1] == self.channels else y


class MobileNetV2(nn.Module):
    """Stem, inverted residual blocks, 1x1 convolution, global average pool, dropout, linear classifier.

    Attributes:
        stages: (widening, channels, blocks, stride of the first block).
        stem: Channels of the first convolution.
        head: Channels of the last one.
    """

    num_classes: int
    stages: Sequence[tuple[int, int, int, int]] = _STAGES
    stem: int = 32
    head: int = 1280
    dtype: Any = jnp.float32
    axis_name: str | None = None

    @nn.compact
    def __call__(
        self, images: Array, gates: Gates | None = None, *, train: bool = False
    ) -> tuple[Array, dict[str, Array]]:
        taps = Taps(gates)
        norm = partial(batch_norm, train=train, axis_name=self.axis_name, dtype=self.dtype)
        conv_norm = partial(_conv_norm, norm=norm, dtype=self.dtype)
        x = conv_norm(images, self.stem, kernel=3, stride=2, names=("features_0_0", "features_0_1"))
        x = taps("features.0.2", nn.relu6(x))  # [B, H/2, W/2, 32]
        index = 1
        for widening, channels, blocks, first_stride in self.stages:
            for block in range(blocks):
                stride = first_stride if block == 0 else 1
                place, name = f"features.{index}", f"features_{index}"
                x = InvertedResidual(place, channels, widening, stride, conv_norm, name=name)(x, taps)
                index += 1
        x = conv_norm(x, self.head, names=(f"features_{index}_0", f"features_{index}_1"))
        x = taps(f"features.{index}.2", nn.relu6(x))  # [B, H/32, W/32, 1280]
        # In float32 whatever the blocks compute in: bfloat16 logits of size 10 are steps of 1/16.
        x = nn.Dropout(0.2, deterministic=not train)(x.mean(axis=(1, 2), dtype=jnp.float32))
        init = nn.initializers.normal(0.01)
        return nn.Dense(self.num_classes, kernel_init=init, name="classifier_1")(x), taps.features


def _conv_norm(
    x: Array,
    channels: int,
    *,
    names: tuple[str, str],
    kernel: int = 1,
    stride: int = 1,
    each_channel: bool = False,
    norm: Callable[..., nn.Module],
    dtype: Any,
) -> Array:
    """A convolution without a bias and its BatchNorm, called by their ``names`` in the module at work."""
    x = Conv(
        channels,
        (kernel, kernel),
        (stride, stride),
        padding=kernel // 2,
        feature_group_count=channels if each_channel else 1,
        use_bias=False,
        dtype=dtype,
        kernel_init=_kaiming,
        name=names[0],
    )(x)
    return norm(name=names[1])(x)


def mobilenet_v2(
    *,
    num_classes: int = 1000,
    dtype: DTypeLike = "float32",
    image_size: int | tuple[int, int] | None = None,
    channels: int = 3,
) -> Target:
    """MobileNetV2 at width 1.0; 35 sites."""
    return from_linen(
        MobileNetV2(num_classes, dtype=compute_dtype(dtype)),
        name="mobilenet_v2",
        num_classes=num_classes,
        preprocessing=make_preprocessing(image_size, channels),
    )


def _recognise(shapes: Shapes) -> str | None:
    # Other widths have the same names; MobileNetV3's blocks are called otherwise.
    head = tuple(shapes.get("features.18.0.weight", ()))
    return "mobilenet_v2" if "features.17.conv.3.weight" in shapes and head[:2] == (1280, 320) else None


_RELEASED = Released(
    "https://download.pytorch.org/models/mobilenet_v2-b0353104.pth",
    "torchvision",
    "BSD-3-Clause",
    sha256="b0353104",
)

MOBILENET = Family(
    {"mobilenet_v2": mobilenet_v2},
    _recognise,
    first="features.0.0",
    last="classifier.1",
    released={"mobilenet_v2": _RELEASED},
)
