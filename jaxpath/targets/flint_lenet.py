"""``lenet``: a small classifier of handwritten digits and clothes, the one that FLINT explains.

conv3x3 - ReLU - conv3x3 - max pool - dropout - ReLU - dense - ReLU - dropout - dense, 809,034 parameters
at 28 x 28 (official code of Parekh et al. 2021, arXiv 2010.09345). Numbered as in PyTorch's ``Sequential``.
"""

from typing import Any

import jax.numpy as jnp
from flax import linen as nn
from jax import Array
from jax.typing import DTypeLike

from jaxpath.gating import Taps
from jaxpath.layers import Conv, Dense, max_pool, relu, uniform_init
from jaxpath.targets.family import Family, Shapes, count_features
from jaxpath.targets.linen import compute_dtype, from_linen
from jaxpath.types import Gates, Preprocessing, Target

_CONVOLUTION, _DENSE = "001.features.5", "002.classifier.1"
"""Sites after a dropout. ReLU(m v) = m ReLU(v) for m >= 0, so a gate after the ReLU is that dropout."""


class LeNet(nn.Module):
    """Two convolutions, two dense layers."""

    num_classes: int
    dtype: Any = jnp.float32
    axis_name: str | None = None

    @nn.compact
    def __call__(
        self, images: Array, gates: Gates | None = None, *, train: bool = False
    ) -> tuple[Array, dict[str, Array]]:
        del train  # nothing but the dropout differs, and that is a matter of gates
        taps = Taps(gates)
        x = taps("features.1", relu(self._conv(16, images, "features_0")))
        x = max_pool(self._conv(32, x, "features_2"), (2, 2))
        x = taps("features.5", relu(x))  # [B, H/2, W/2, 32]
        x = x.reshape(x.shape[0], -1)
        x = Dense(128, dtype=self.dtype, **uniform_init(x.shape[1]), name="classifier_0")(x)
        x = taps("classifier.1", relu(x))
        logits = Dense(self.num_classes, **uniform_init(x.shape[1]), name="classifier_3")(
            x.astype(jnp.float32)
        )
        return logits, taps.features

    def _conv(self, width: int, x: Array, name: str) -> Array:
        init = uniform_init(9 * x.shape[-1])
        return Conv(width, (3, 3), padding=1, dtype=self.dtype, **init, name=name)(x)


def lenet(
    *,
    num_classes: int = 10,
    dtype: DTypeLike = "float32",
    image_size: int | tuple[int, int] = 28,
    channels: int = 1,
) -> Target:
    """The LeNet of FLINT; images are scaled to [0, 1] and not normalised further."""
    size = (image_size, image_size) if isinstance(image_size, int) else image_size
    return from_linen(
        LeNet(num_classes, dtype=compute_dtype(dtype)),
        name="lenet",
        num_classes=num_classes,
        preprocessing=Preprocessing(None, size, mean=(0.0,) * channels, std=(1.0,) * channels),
        dropout={_CONVOLUTION: 0.5, _DENSE: 0.5},
    )


def _recognise(shapes: Shapes) -> str | None:
    return "lenet" if count_features(shapes) == (2, 0) else None


LENET = Family(
    {"lenet": lenet}, _recognise, first="features.0", last="classifier.3", flattened="classifier.0"
)
