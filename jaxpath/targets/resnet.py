"""ResNets as frozen, gateable classifiers.

ImageNet ResNets (He et al. 2016, "Deep Residual Learning", v1 with torchvision's stride on the
3x3 convolution) and the CIFAR family of the same paper's section 4.2 (depth 6n + 2, parameter-free
"option A" shortcuts). Submodules carry torchvision's names, with ``_`` before an index.
"""

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import jax.numpy as jnp
from flax import linen as nn
from jax import Array
from jax.typing import DTypeLike

from jaxpath.gating import Activation, Pointwise, Taps
from jaxpath.layers import Conv, relu
from jaxpath.targets.family import Family, Released, Shapes
from jaxpath.targets.linen import batch_norm, compute_dtype, from_linen, make_preprocessing
from jaxpath.targets.lwta import TEMPERATURE, Competing, competing_name
from jaxpath.targets.pooling import ORDINARY, Halve, Pooling
from jaxpath.types import Competition, Gates, Target

_kaiming = nn.initializers.variance_scaling(2.0, "fan_out", "normal")


class _Block(nn.Module):
    """What both residual blocks share: layers that know the mode, and the shortcut."""

    place: str
    width: int
    stride: int
    option_a: bool
    train: bool
    axis_name: str | None
    dtype: Any

    def conv_bn(
        self,
        x: Array,
        features: int,
        kernel: int,
        stride: int,
        names: tuple[str, str],
        halve: Halve | None = None,
    ) -> Array:
        conv = Conv(
            features,
            (kernel, kernel),
            (stride, stride) if halve is None else (1, 1),
            padding=kernel // 2,
            use_bias=False,
            dtype=self.dtype,
            kernel_init=_kaiming,
            name=names[0],
        )
        norm = batch_norm(train=self.train, axis_name=self.axis_name, dtype=self.dtype, name=names[1])
        return norm(conv(x) if halve is None else halve(conv(x)))

    def shortcut(self, x: Array, features: int, halve: Halve | None) -> Array:
        if self.stride == 1 and x.shape[-1] == features:
            return x
        stride = self.stride
        if halve is not None:
            # One pixel of a 1x1 convolution sees one pixel: it may as well come after the pooling.
            x, stride = halve(x), 1
        if self.option_a:
            # Every second pixel; zeros for the new channels, half in front and half behind.
            missing = features - x.shape[-1]
            pad = (missing // 2, missing - missing // 2)
            return jnp.pad(x[:, ::stride, ::stride], ((0, 0), (0, 0), (0, 0), pad))
        return self.conv_bn(x, features, 1, stride, ("downsample_0", "downsample_1"))


class BasicBlock(_Block):
    """conv3x3, conv3x3: two sites."""

    @nn.compact
    def __call__(self, x: Array, activate: Activation, halve: Halve | None = None) -> Array:
        y = self.conv_bn(x, self.width, 3, self.stride, ("conv1", "bn1"), halve)
        y = activate(y, self.place, 1)
        y = self.conv_bn(y, self.width, 3, 1, ("conv2", "bn2"))
        return activate(y + self.shortcut(x, self.width, halve), self.place, 2)


class Bottleneck(_Block):
    """conv1x1, conv3x3 (strided), conv1x1 to four times the width: three sites."""

    @nn.compact
    def __call__(self, x: Array, activate: Activation, halve: Halve | None = None) -> Array:
        y = self.conv_bn(x, self.width, 1, 1, ("conv1", "bn1"))
        y = activate(y, self.place, 1)
        y = self.conv_bn(y, self.width, 3, self.stride, ("conv2", "bn2"), halve)
        y = activate(y, self.place, 2)
        y = self.conv_bn(y, 4 * self.width, 1, 1, ("conv3", "bn3"))
        return activate(y + self.shortcut(x, 4 * self.width, halve), self.place, 3)


class ResNet(nn.Module):
    """Stem, stages of residual blocks, global average pool, linear classifier.

    Attributes:
        block: :class:`BasicBlock` or :class:`Bottleneck`.
        stage_sizes: Number of blocks in each stage; the width doubles from stage to stage.
        width: Width of the first stage.
        imagenet_stem: 7x7 stride 2 and a max pool; otherwise 3x3 stride 1.
        option_a: Parameter-free shortcuts.
        head: Name of the classifier.
        competitors: Units that compete where 1 rectifies; see :mod:`jaxpath.targets.lwta`.
        temperature: Of the draws.
        pooling: How maps get smaller, at ``maxpool``, at the transitions into ``layer2`` and so on, and at
            ``avgpool``.
    """

    block: Callable[..., _Block]
    stage_sizes: Sequence[int]
    num_classes: int
    width: int = 64
    imagenet_stem: bool = True
    option_a: bool = False
    head: str = "fc"
    competitors: int = 1
    temperature: float = TEMPERATURE
    pooling: Pooling = ORDINARY
    dtype: Any = jnp.float32
    axis_name: str | None = None

    @nn.compact
    def __call__(
        self, images: Array, gates: Gates | None = None, *, train: bool = False, keys: Array | None = None
    ) -> tuple[Array, dict[str, Array], dict[str, Competition] | None]:
        taps = Taps(gates)
        activate: Activation = Pointwise(taps, relu)
        if self.competitors > 1:
            activate = Competing(taps, self.competitors, keys, temperature=self.temperature)
        kernel, stride = (7, 2) if self.imagenet_stem else (3, 1)
        x = Conv(
            self.width,
            (kernel, kernel),
            (stride, stride),
            padding=kernel // 2,
            use_bias=False,
            dtype=self.dtype,
            kernel_init=_kaiming,
            name="conv1",
        )(images)
        x = batch_norm(train=train, axis_name=self.axis_name, dtype=self.dtype, name="bn1")(x)
        x = activate(x)  # [B, H/2, W/2, 64]
        if self.imagenet_stem:
            x = self.pooling.max_pool("maxpool", x, (3, 3), (2, 2), ((1, 1), (1, 1)))  # [B, H/4, W/4, 64]
        for stage, size in enumerate(self.stage_sizes):
            for index in range(size):
                stride = 2 if stage > 0 and index == 0 else 1
                halve = self.pooling.transition(f"layer{stage + 1}", x) if stride > 1 else None
                block = self.block(
                    place=f"layer{stage + 1}.{index}",
                    width=self.width * 2**stage,
                    stride=stride,
                    option_a=self.option_a,
                    train=train,
                    axis_name=self.axis_name,
                    dtype=self.dtype,
                    name=f"layer{stage + 1}_{index}",
                )
                x = block(x, activate, halve)
        # In float32 whatever the blocks compute in: bfloat16 logits of size 10 are steps of 1/16.
        classifier = nn.Dense(self.num_classes, dtype=jnp.float32, name=self.head)
        return self.pooling.read_out("avgpool", x, classifier), taps.features, activate.competition


def _imagenet_resnet(
    name: str,
    block: type[_Block],
    stage_sizes: Sequence[int],
    *,
    num_classes: int = 1000,
    dtype: DTypeLike = "float32",
    image_size: int | tuple[int, int] | None = None,
    channels: int = 3,
    competitors: int = 1,
    pooling: Pooling = ORDINARY,
) -> Target:
    module = ResNet(
        block,
        stage_sizes,
        num_classes,
        competitors=competitors,
        pooling=pooling,
        dtype=compute_dtype(dtype),
    )
    name = competing_name(name, competitors)
    preprocessing = make_preprocessing(image_size, channels)
    return from_linen(module, name=name, num_classes=num_classes, preprocessing=preprocessing)


def _cifar_resnet(
    name: str,
    blocks_per_stage: int,
    *,
    num_classes: int = 10,
    dtype: DTypeLike = "float32",
    image_size: int | tuple[int, int] = 32,
    channels: int = 3,
    competitors: int = 1,
    pooling: Pooling = ORDINARY,
) -> Target:
    module = ResNet(
        BasicBlock,
        (blocks_per_stage,) * 3,
        num_classes,
        width=16,
        imagenet_stem=False,
        option_a=True,
        head="linear",
        competitors=competitors,
        pooling=pooling,
        dtype=compute_dtype(dtype),
    )
    name = competing_name(name, competitors)
    preprocessing = make_preprocessing(image_size, channels)
    return from_linen(module, name=name, num_classes=num_classes, preprocessing=preprocessing)


_IMAGENET_SIZES: dict[str, tuple[type[_Block], tuple[int, ...]]] = {
    "resnet18": (BasicBlock, (2, 2, 2, 2)),
    "resnet34": (BasicBlock, (3, 4, 6, 3)),
    "resnet50": (Bottleneck, (3, 4, 6, 3)),
    "resnet101": (Bottleneck, (3, 4, 23, 3)),
    "resnet152": (Bottleneck, (3, 8, 36, 3)),
}
"""Name -> (block, blocks per stage)."""

_CIFAR_SIZES = {f"resnet{6 * blocks + 2}": blocks for blocks in (1, 3, 5, 7, 9, 18)}
"""Name, which is the depth, -> blocks per stage, of three stages."""


def _stage_sizes(shapes: Shapes) -> tuple[int, ...]:
    """Blocks per stage, from names such as ``layer1.0.conv1.weight``."""
    blocks = {match.groups() for key in shapes if (match := re.match(r"layer(\d+)\.(\d+)\.", key))}
    stages = [stage for stage, _ in blocks]
    return tuple(stages.count(stage) for stage in sorted(set(stages)))


def _recognise_imagenet(shapes: Shapes) -> str | None:
    size = (Bottleneck if "layer1.0.conv3.weight" in shapes else BasicBlock, _stage_sizes(shapes))
    return next((name for name, known in _IMAGENET_SIZES.items() if known == size), None)


def _recognise_cifar(shapes: Shapes) -> str | None:
    sizes = _stage_sizes(shapes)
    return next((name for name, blocks in _CIFAR_SIZES.items() if sizes == (blocks,) * 3), None)


IMAGENET_RESNET = Family(
    {name: partial(_imagenet_resnet, name, *size) for name, size in _IMAGENET_SIZES.items()},
    _recognise_imagenet,
    first="conv1",
    last="fc",
    aliases={"linear": "fc"},
    published={
        **{f"tv_resnet{depth}": f"resnet{depth}" for depth in (34, 50, 101, 152)},
        **{f"gluon_resnet{depth}_v1b": f"resnet{depth}" for depth in (18, 34, 50, 101, 152)},
        **{f"{recipe}_resnet{depth}": f"resnet{depth}" for recipe in ("ssl", "swsl") for depth in (18, 50)},
    },
    released={
        name: Released(f"hf://timm/{name}.tv_in1k", "torchvision", "BSD-3-Clause") for name in _IMAGENET_SIZES
    },
)

_AKAMASTER = (
    "https://github.com/akamaster/pytorch_resnet_cifar10/raw/d5489e8995e81e91ce6b1d69dcc98ad579b0b153"
)
_CIFAR_FILES = {
    "resnet20": "12fca82f0bebc4135bf1f32f6e3710e61d5108578464b84fd6d7f5c1b04036c8",
    "resnet32": "d509ac1820d7f25398913559d7e81a13229b1e7adc5648e3bfa5e22dc137f850",
    "resnet44": "014dd6541728a1c700b1642ab640e211dc6eb8ed507d70697458dc8f8a0ae2e4",
    "resnet56": "4bfd97631478d6b638d2764fd2baff3edb1d7d82252d54439343b6596b9b5367",
    "resnet110": "1d1ed7c2",
}
"""Name -> SHA-256 of the file, which begins as the file's name ends."""

CIFAR_RESNET = Family(
    {name: partial(_cifar_resnet, name, blocks) for name, blocks in _CIFAR_SIZES.items()},
    _recognise_cifar,
    first="conv1",
    last="linear",
    aliases={"fc": "linear"},
    released={
        name: Released(
            f"{_AKAMASTER}/pretrained_models/{name}-{sha256[:8]}.th",
            "Y. Idelbayev",
            "BSD-2-Clause",
            classes="cifar10",
            sha256=sha256,
        )
        for name, sha256 in _CIFAR_FILES.items()
    },
)
