"""A small classifier for cluttered canvases, with average pools: four convolutions; our choice."""

from typing import Any

import jax.numpy as jnp
from flax import linen as nn
from jax import Array
from jax.typing import DTypeLike

from jaxpath.gating import Taps
from jaxpath.layers import Conv, relu
from jaxpath.targets import Pooling, compute_dtype, from_linen, make_preprocessing
from jaxpath.targets.linen import batch_norm
from jaxpath.targets.pooling import ORDINARY
from jaxpath.types import Gates, Target


class CanvasNet(nn.Module):
    """conv5x5 of stride 2, three conv3x3, each with BatchNorm and ReLU; two 2x2 average pools, final pool.

    Attributes:
        widths: Channels of the four convolutions.
        pooling: How maps get smaller, at ``pool1``, ``pool2`` and ``avgpool``.
    """

    num_classes: int
    widths: tuple[int, int, int, int] = (16, 32, 64, 64)
    pooling: Pooling = ORDINARY
    dtype: Any = jnp.float32
    axis_name: str | None = None

    @nn.compact
    def __call__(
        self, images: Array, gates: Gates | None = None, *, train: bool = False
    ) -> tuple[Array, dict[str, Array]]:
        taps = Taps(gates)
        x = images
        for number, width in enumerate(self.widths, start=1):
            kernel, stride = (5, 2) if number == 1 else (3, 1)
            x = Conv(
                width,
                (kernel, kernel),
                (stride, stride),
                padding=kernel // 2,
                use_bias=False,
                dtype=self.dtype,
                name=f"conv{number}",
            )(x)
            x = batch_norm(train=train, axis_name=self.axis_name, dtype=self.dtype, name=f"bn{number}")(x)
            x = taps(f"relu{number}", relu(x))
            if number in (2, 3):
                x = self.pooling.average_pool(f"pool{number - 1}", x, (2, 2))
        classifier = nn.Dense(self.num_classes, dtype=jnp.float32, name="fc")
        return self.pooling.read_out("avgpool", x, classifier), taps.features


def canvas_net(
    *,
    num_classes: int = 10,
    dtype: DTypeLike = "float32",
    image_size: int | tuple[int, int] = 56,
    channels: int = 1,
    widths: tuple[int, int, int, int] = (16, 32, 64, 64),
    pooling: Pooling = ORDINARY,
) -> Target:
    """The small classifier, for images that are at least 7 pixels high and wide.

    The first convolution leaves every second pixel; each of the two pools halves that, rounding down.
    """
    module = CanvasNet(num_classes, widths, pooling=pooling, dtype=compute_dtype(dtype))
    preprocessing = make_preprocessing(image_size, channels)
    return from_linen(module, name="canvas_net", num_classes=num_classes, preprocessing=preprocessing)
