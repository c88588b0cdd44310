"""ConvNeXt-Tiny (Liu et al. 2022, arXiv 2201.03545) in torchvision's layout.

Blocks convolve every channel on its own, 7 x 7, normalise each place, widen fourfold and narrow again; what
they give is scaled per channel and added. Every GELU between widening and narrowing is a site. Strides are
those for 224 pixels, whatever the images' size. Submodules carry torchvision's names, with ``_`` before an
index.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax.numpy as jnp
from flax import linen as nn
from jax import Array
from jax.typing import DTypeLike

from jaxpath.compiling import computed_once
from jaxpath.gating import Taps
from jaxpath.layers import Conv, Dense, gelu
from jaxpath.targets.family import Family, Released, Shapes
from jaxpath.targets.linen import compute_dtype, from_linen, make_preprocessing
from jaxpath.types import Gates, Target

_STAGES = ((96, 3), (192, 3), (384, 9), (768, 3))
"""(channels, blocks) of each stage: the paper's table 9."""

_STOCHASTIC_DEPTH = 0.1
"""Rate of the last block; those before it have less, in proportion to their depth (torchvision)."""

_SMALL_SCALE = 1e-6
"""At which the scale of a block starts."""

_init = nn.initializers.truncated_normal(0.02)
_norm = partial(nn.LayerNorm, epsilon=1e-6)


class ConvNeXtBlock(nn.Module):
    """7x7 of every channel on its own, norm, dense, GELU, dense, scale: one site.

    Attributes:
        place: Name in torchvision's network, such as ``"features.1.0"``.
        drop: Rate at which an image goes around the block in training.
    """

    place: str
    drop: float
    dtype: Any

    @nn.compact
    def __call__(self, x: Array, taps: Taps, *, train: bool) -> Array:
        channels = x.shape[-1]
        conv = Conv(
            channels,
            (7, 7),
            padding=3,
            feature_group_count=channels,
            dtype=self.dtype,
            kernel_init=_init,
            name="block_0",
        )
        dense = partial(Dense, dtype=self.dtype, kernel_init=_init)
        # The norm reads it three times, and a CPU would convolve as often.
        y = _norm(dtype=self.dtype, name="block_2")(computed_once(conv(x)))
        y = taps(f"{self.place}.block.4", gelu(dense(4 * channels, name="block_3")(y)))
        y = dense(channels, name="block_5")(y)
        scale = self.param("layer_scale", nn.initializers.constant(_SMALL_SCALE), (channels, 1, 1))
        y = y * scale.reshape(1, 1, 1, channels).astype(y.dtype)
        return x + nn.Dropout(self.drop, broadcast_dims=(1, 2, 3), deterministic=not train)(y)


class ConvNeXt(nn.Module):
    """Stem 4x4, stages of blocks with a 2x2 convolution before each, global average pool, norm, classifier.

    Attributes:
        stages: (channels, blocks).
    """

    num_classes: int
    stages: Sequence[tuple[int, int]] = _STAGES
    dtype: Any = jnp.float32
    axis_name: str | None = None

    @nn.compact
    def __call__(
        self, images: Array, gates: Gates | None = None, *, train: bool = False
    ) -> tuple[Array, dict[str, Array]]:
        taps, norm = Taps(gates), partial(_norm, dtype=self.dtype)
        last = max(sum(blocks for _, blocks in self.stages) - 1, 1)
        x, passed = images, 0
        for stage, (channels, blocks) in enumerate(self.stages):
            # torchvision counts the convolutions between stages too; the stem's norm is behind it.
            place = 2 * stage
            side = (2, 2) if stage else (4, 4)
            conv = partial(Conv, channels, side, side, padding=0, dtype=self.dtype, kernel_init=_init)
            if stage:
                x = conv(name=f"features_{place}_1")(norm(name=f"features_{place}_0")(x))
            else:
                x = norm(name="features_0_1")(conv(name="features_0_0")(x))  # [B, H/4, W/4, C]
            for block in range(blocks):
                name = f"features_{place + 1}_{block}"
                drop = _STOCHASTIC_DEPTH * passed / last
                module = ConvNeXtBlock(f"features.{place + 1}.{block}", drop, self.dtype, name=name)
                x, passed = module(x, taps, train=train), passed + 1
        # In float32 whatever the blocks compute in: bfloat16 logits of size 10 are steps of 1/16.
        x = _norm(name="classifier_0")(x.mean(axis=(1, 2), dtype=jnp.float32))
        return nn.Dense(self.num_classes, kernel_init=_init, name="classifier_2")(x), taps.features


def convnext_tiny(
    *,
    num_classes: int = 1000,
    dtype: DTypeLike = "float32",
    image_size: int | tuple[int, int] | None = None,
    channels: int = 3,
) -> Target:
    """ConvNeXt-Tiny; 18 sites."""
    preprocessing = make_preprocessing(image_size, channels)
    if image_size is None:
        preprocessing = preprocessing._replace(resize=236)  # torchvision's recipe
    return from_linen(
        ConvNeXt(num_classes, dtype=compute_dtype(dtype)),
        name="convnext_tiny",
        num_classes=num_classes,
        preprocessing=preprocessing,
    )


def _others_names() -> dict[str, str]:
    """Timm's names of layers, and those of the paper's authors -> torchvision's."""
    names = {"head.norm": "classifier.0", "norm": "classifier.0"}
    names |= {"head.fc": "classifier.2", "head": "classifier.2"}
    for stage, (_, blocks) in enumerate(_STAGES):
        for part in (0, 1):
            ours = f"features.{2 * stage}.{part}"
            names[f"downsample_layers.{stage}.{part}"] = ours
            names[f"stages.{stage}.downsample.{part}" if stage else f"stem.{part}"] = ours
        for block in range(blocks):
            theirs, ours = f"stages.{stage}.{block}", f"features.{2 * stage + 1}.{block}"
            timms = f"stages.{stage}.blocks.{block}"
            layers = {"conv_dw": 0, "norm": 2, "mlp.fc1": 3, "mlp.fc2": 5}
            names |= {f"{timms}.{layer}": f"{ours}.block.{index}" for layer, index in layers.items()}
            layers = {"dwconv": 0, "norm": 2, "pwconv1": 3, "pwconv2": 5}
            names |= {f"{theirs}.{layer}": f"{ours}.block.{index}" for layer, index in layers.items()}
            names |= {f"{other}.gamma": f"{ours}.layer_scale" for other in (timms, theirs)}
    return names


def _recognise(shapes: Shapes) -> str | None:
    # Small has 27 blocks in its third stage; the others are wider.
    blocks = ("features.5.{}.block.0", "stages.2.blocks.{}.conv_dw", "stages.2.{}.dwconv")
    for block in blocks:
        last = shapes.get(f"{block.format(8)}.weight", ())
        if len(last) == 4 and last[0] == 384 and f"{block.format(9)}.weight" not in shapes:
            return "convnext_tiny"
    return None


CONVNEXT = Family(
    {"convnext_tiny": convnext_tiny},
    _recognise,
    first="features.0.0",
    last="classifier.2",
    aliases=_others_names(),
    released={"convnext_tiny": Released("hf://timm/convnext_tiny.fb_in1k", "Facebook", "Apache-2.0")},
)
