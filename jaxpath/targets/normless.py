"""A ResNet-18 without any normalisation: the classifier that FLINT explains on CIFAR-10 and QuickDraw.

3x3 stem, four stages of two basic blocks, every convolution without a bias, average pool, a hidden dense
layer and the classifier (official code of Parekh et al. 2021, arXiv 2010.09345).
"""

from typing import Any

import jax.numpy as jnp
from flax import linen as nn
from jax import Array
from jax.typing import DTypeLike

from jaxpath.gating import Taps
from jaxpath.layers import Conv, Dense, relu, uniform_init
from jaxpath.targets.family import Family, Shapes
from jaxpath.targets.linen import compute_dtype, from_linen
from jaxpath.types import Gates, Preprocessing, Target

_CIFAR_MEAN, _CIFAR_STD = (0.4914, 0.4822, 0.4465), (0.247, 0.243, 0.261)


class NormlessResNet(nn.Module):
    """Stem, stages of two basic blocks, average pool, hidden dense layer, classifier."""

    num_classes: int
    widths: tuple[int, ...] = (64, 128, 256, 512)
    dtype: Any = jnp.float32
    axis_name: str | None = None

    @nn.compact
    def __call__(
        self, images: Array, gates: Gates | None = None, *, train: bool = False
    ) -> tuple[Array, dict[str, Array]]:
        del train  # without norms and dropout it is the same network
        taps = Taps(gates)
        x = taps("relu", relu(self._conv(self.widths[0], images, "conv1")))
        for stage, width in enumerate(self.widths, start=1):
            for index in range(2):
                x = self._block(x, taps, width, 2 if stage > 1 and index == 0 else 1, f"layer{stage}.{index}")
        x = x.mean(axis=(1, 2), dtype=jnp.float32).astype(self.dtype)
        x = Dense(self.widths[-1], dtype=self.dtype, **uniform_init(x.shape[1]), name="fc1")(x)
        x = taps("fc1.relu", relu(x))
        logits = Dense(self.num_classes, **uniform_init(x.shape[1]), name="fc2")(x.astype(jnp.float32))
        return logits, taps.features

    def _block(self, x: Array, taps: Taps, width: int, stride: int, place: str) -> Array:
        name = place.replace(".", "_")
        y = taps(f"{place}.relu1", relu(self._conv(width, x, f"{name}_conv1", stride=stride)))
        y = self._conv(width, y, f"{name}_conv2")
        if x.shape != y.shape:
            x = self._conv(width, x, f"{name}_shortcut", kernel=1, stride=stride)
        return taps(f"{place}.relu2", relu(x + y))

    def _conv(self, width: int, x: Array, name: str, *, kernel: int = 3, stride: int = 1) -> Array:
        init = uniform_init(kernel**2 * x.shape[-1])["kernel_init"]
        return Conv(
            width,
            (kernel, kernel),
            (stride, stride),
            padding=kernel // 2,
            use_bias=False,
            dtype=self.dtype,
            kernel_init=init,
            name=name,
        )(x)


def resnet18_normless(
    *,
    num_classes: int = 10,
    dtype: DTypeLike = "float32",
    image_size: int | tuple[int, int] = 32,
    channels: int = 3,
) -> Target:
    """ResNet-18 without norms; colour images get CIFAR-10's statistics, others are scaled to [0, 1] only."""
    size = (image_size, image_size) if isinstance(image_size, int) else image_size
    colour = channels == 3
    return from_linen(
        NormlessResNet(num_classes, dtype=compute_dtype(dtype)),
        name="resnet18_normless",
        num_classes=num_classes,
        preprocessing=Preprocessing(
            None,
            size,
            mean=_CIFAR_MEAN if colour else (0.0,) * channels,
            std=_CIFAR_STD if colour else (1.0,) * channels,
        ),
    )


def _recognise(shapes: Shapes) -> str | None:
    return "resnet18_normless" if {"layer1_0_conv1.weight", "fc2.weight"} <= set(shapes) else None


NORMLESS_RESNET = Family({"resnet18_normless": resnet18_normless}, _recognise, first="conv1", last="fc2")
