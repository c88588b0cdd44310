"""EfficientNet-B0 (Tan and Le 2019, arXiv 1905.11946) in torchvision's layout.

Blocks widen, convolve every channel on its own, weigh the channels by what all places say together
(squeeze-and-excitation), and narrow again without an activation; narrow ends of the same shape are added.
Every SiLU is a site, that of the squeezed channels too, at one place. Strides are those for 224 pixels,
whatever the images' size. Submodules carry torchvision's names, with ``_`` before an index.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax.numpy as jnp
from flax import linen as nn
from jax import Array
from jax.typing import DTypeLike

from jaxpath.gating import Taps
from jaxpath.layers import Conv, silu
from jaxpath.targets.family import Family, Released, Shapes
from jaxpath.targets.linen import batch_norm, compute_dtype, from_linen, make_preprocessing
from jaxpath.types import Gates, Target

_STAGES = (
    (1, 3, 1, 16, 1),
    (6, 3, 2, 24, 2),
    (6, 5, 2, 40, 2),
    (6, 3, 2, 80, 3),
    (6, 5, 1, 112, 3),
    (6, 5, 2, 192, 4),
    (6, 3, 1, 320, 1),
)
"""(widening, side of the kernel, stride of the first block, channels, blocks): the paper's table 1."""

_STOCHASTIC_DEPTH = 0.2
"""Rate behind the last block; each block has less, in proportion to its depth (torchvision)."""

_kaiming = nn.initializers.variance_scaling(2.0, "fan_out", "normal")


class ConvNorm(nn.Module):
    """A convolution without a bias and its BatchNorm: torchvision's layers 0 and 1 of a ``Sequential``."""

    channels: int
    norm: partial[nn.BatchNorm]
    kernel: int = 1
    stride: int = 1
    each_channel: bool = False
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, x: Array) -> Array:
        x = Conv(
            self.channels,
            (self.kernel, self.kernel),
            (self.stride, self.stride),
            padding=self.kernel // 2,
            feature_group_count=self.channels if self.each_channel else 1,
            use_bias=False,
            dtype=self.dtype,
            kernel_init=_kaiming,
            name="0",
        )(x)
        return self.norm(name="1")(x)


class SqueezeExcitation(nn.Module):
    """A factor from 0 to 1 for each channel, by the mean over all places: one site.

    Attributes:
        place: Name in torchvision's network.
        squeezed: Channels in between.
    """

    place: str
    squeezed: int
    dtype: Any

    @nn.compact
    def __call__(self, x: Array, taps: Taps) -> Array:
        conv = partial(Conv, kernel_size=(1, 1), dtype=self.dtype, kernel_init=_kaiming)
        mean = x.mean(axis=(1, 2), keepdims=True, dtype=jnp.float32).astype(x.dtype)
        y = taps(f"{self.place}.activation", silu(conv(self.squeezed, name="fc1")(mean)))
        return x * nn.sigmoid(conv(x.shape[-1], name="fc2")(y))


class MBConv(nn.Module):
    """1x1 that widens, convolution of every channel on its own, squeeze-and-excitation, 1x1 that narrows.

    Attributes:
        place: Name in torchvision's network, such as ``"features.2.0"``.
        channels: Of the result.
        widening: Channels in between, per channel that comes in; 1 leaves out the first 1x1 and its site.
        kernel: Side of the kernel.
        stride: Of the same convolution.
        drop: Rate at which an image goes around the block in training, if it can.
        norm: Makes a BatchNorm.
    """

    place: str
    channels: int
    widening: int
    kernel: int
    stride: int
    drop: float
    norm: partial[nn.BatchNorm]
    dtype: Any

    @nn.compact
    def __call__(self, x: Array, taps: Taps, *, train: bool) -> Array:
        entered = x.shape[-1]
        hidden, index = self.widening * entered, 0
        conv_norm = partial(ConvNorm, norm=self.norm, dtype=self.dtype)
        y = x
        if self.widening > 1:
            y = taps(f"{self.place}.block.0.2", silu(conv_norm(hidden, name="block_0")(y)))
            index = 1
        separate = partial(conv_norm, hidden, kernel=self.kernel, stride=self.stride, each_channel=True)
        y = separate(name=f"block_{index}")(y)
        y = taps(f"{self.place}.block.{index}.2", silu(y))
        place, squeezed = f"{self.place}.block.{index + 1}", max(1, entered // 4)
        y = SqueezeExcitation(place, squeezed, self.dtype, name=f"block_{index + 1}")(y, taps)
        y = conv_norm(self.channels, name=f"block_{index + 2}")(y)
        if self.stride > 1 or entered != self.channels:
            return y
        return x + nn.Dropout(self.drop, broadcast_dims=(1, 2, 3), deterministic=not train)(y)


class EfficientNet(nn.Module):
    """Stem, MBConv blocks, 1x1 convolution, global average pool, dropout, linear classifier.

    Attributes:
        stages: (widening, side of the kernel, stride of the first block, channels, blocks).
        stem: Channels of the first convolution.
        head: Channels of the last one.
    """

    num_classes: int
    stages: Sequence[tuple[int, int, int, int, int]] = _STAGES
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
        conv_norm = partial(ConvNorm, norm=norm, dtype=self.dtype)
        x = conv_norm(self.stem, kernel=3, stride=2, name="features_0")(images)
        x = taps("features.0.2", silu(x))  # [B, H/2, W/2, 32]
        total, passed = sum(stage[-1] for stage in self.stages), 0
        for stage, (widening, kernel, first_stride, channels, blocks) in enumerate(self.stages, 1):
            for block in range(blocks):
                x = MBConv(
                    f"features.{stage}.{block}",
                    channels,
                    widening,
                    kernel,
                    first_stride if block == 0 else 1,
                    _STOCHASTIC_DEPTH * passed / total,
                    norm,
                    self.dtype,
                    name=f"features_{stage}_{block}",
                )(x, taps, train=train)
                passed += 1
        last = len(self.stages) + 1
        x = taps(f"features.{last}.2", silu(conv_norm(self.head, name=f"features_{last}")(x)))
        # In float32 whatever the blocks compute in: bfloat16 logits of size 10 are steps of 1/16.
        x = nn.Dropout(0.2, deterministic=not train)(x.mean(axis=(1, 2), dtype=jnp.float32))
        init = nn.initializers.variance_scaling(1 / 3, "fan_out", "uniform")  # torchvision's
        return nn.Dense(self.num_classes, kernel_init=init, name="classifier_1")(x), taps.features


def efficientnet_b0(
    *,
    num_classes: int = 1000,
    dtype: DTypeLike = "float32",
    image_size: int | tuple[int, int] | None = None,
    channels: int = 3,
) -> Target:
    """EfficientNet-B0; 49 sites."""
    preprocessing = make_preprocessing(image_size, channels)
    return from_linen(
        EfficientNet(num_classes, dtype=compute_dtype(dtype)),
        name="efficientnet_b0",
        num_classes=num_classes,
        preprocessing=preprocessing._replace(interpolation="bicubic"),  # torchvision's recipe
    )


def _timms_names() -> dict[str, str]:
    """Timm's names of layers -> torchvision's."""
    last = len(_STAGES) + 1
    names = {"conv_stem": "features.0.0", "bn1": "features.0.1", "classifier": "classifier.1"}
    names |= {"conv_head": f"features.{last}.0", "bn2": f"features.{last}.1"}
    for stage, (widening, *_, blocks) in enumerate(_STAGES, 1):
        for block in range(blocks):
            theirs, ours = f"blocks.{stage - 1}.{block}", f"features.{stage}.{block}.block"
            convolutions = ["conv_pw", "conv_dw", "conv_pwl"] if widening > 1 else ["conv_dw", "conv_pw"]
            # Squeeze-and-excitation lies before the last convolution.
            places = [*range(len(convolutions) - 1), len(convolutions)]
            for number, (conv, place) in enumerate(zip(convolutions, places, strict=True), 1):
                names |= {
                    f"{theirs}.{conv}": f"{ours}.{place}.0",
                    f"{theirs}.bn{number}": f"{ours}.{place}.1",
                }
            for layer, squeeze in (("conv_reduce", "fc1"), ("conv_expand", "fc2")):
                names[f"{theirs}.se.{layer}"] = f"{ours}.{len(convolutions) - 1}.{squeeze}"
    return names


def _recognise(shapes: Shapes) -> str | None:
    # B1 has more blocks in every stage, B2 and above are wider too.
    for stem, block in (("features.0.0", "features.7.{}.block.3.0"), ("conv_stem", "blocks.6.{}.conv_pwl")):
        first, last = shapes.get(f"{stem}.weight", ()), shapes.get(f"{block.format(0)}.weight", ())
        sizes = (first[0] if len(first) == 4 else None, last[0] if len(last) == 4 else None)
        if sizes == (32, 320) and f"{block.format(1)}.weight" not in shapes:
            return "efficientnet_b0"
    return None


EFFICIENTNET = Family(
    {"efficientnet_b0": efficientnet_b0},
    _recognise,
    first="features.0.0",
    last="classifier.1",
    aliases=_timms_names(),
    released={"efficientnet_b0": Released("hf://timm/efficientnet_b0.ra_in1k", "timm", "Apache-2.0")},
)
