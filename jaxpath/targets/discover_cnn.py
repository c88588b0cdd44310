"""``digit_cnn``: a small convolutional classifier of digits whose units may compete, DISCOVER's test bench.

conv3x3/2 to 16, conv3x3/2 to 32, conv3x3 to 64, dense 128, dense K, an activation after every layer but the
last. Our choice. Numbered as in PyTorch's ``Sequential``.
"""

from typing import Any

import jax.numpy as jnp
from flax import linen as nn
from jax import Array
from jax.typing import DTypeLike

from jaxpath.gating import Activation, Pointwise, Taps
from jaxpath.layers import Conv, Dense, relu, uniform_init
from jaxpath.targets.family import Family, Shapes, count_features
from jaxpath.targets.linen import compute_dtype, from_linen
from jaxpath.targets.lwta import TEMPERATURE, Competing, competing_name
from jaxpath.types import Competition, Gates, Preprocessing, Target

_CONVOLUTIONS = ((16, 2), (32, 2), (64, 1))
"""(channels, stride)."""


class DigitCNN(nn.Module):
    """Three convolutions, two dense layers.

    Attributes:
        competitors: Units that compete where 1 rectifies; see :mod:`jaxpath.targets.lwta`.
        temperature: Of the draws.
    """

    num_classes: int
    competitors: int = 1
    temperature: float = TEMPERATURE
    dtype: Any = jnp.float32
    axis_name: str | None = None

    @nn.compact
    def __call__(
        self, images: Array, gates: Gates | None = None, *, train: bool = False, keys: Array | None = None
    ) -> tuple[Array, dict[str, Array], dict[str, Competition] | None]:
        del train  # neither norms nor dropout
        taps = Taps(gates)
        activate: Activation = Pointwise(taps, relu)
        if self.competitors > 1:
            activate = Competing(taps, self.competitors, keys, temperature=self.temperature)
        x = images.astype(self.dtype)
        for number, (width, stride) in enumerate(_CONVOLUTIONS):
            x = Conv(
                width,
                (3, 3),
                (stride, stride),
                padding=1,
                dtype=self.dtype,
                **_init(9 * x.shape[-1], self.competitors),
                name=f"features_{2 * number}",
            )(x)
            x = activate(x, f"features.{2 * number + 1}")
        x = x.reshape(len(x), -1)
        x = Dense(128, dtype=self.dtype, **_init(x.shape[1], self.competitors), name="classifier_0")(x)
        x = activate(x, "classifier.1")
        head = Dense(self.num_classes, **uniform_init(x.shape[1]), name="classifier_2")
        return head(x.astype(jnp.float32)), taps.features, activate.competition


def _init(fan_in: int, competitors: int) -> dict[str, Any]:
    """PyTorch's default; where one of U passes, weights of variance U / fan_in, as He et al. for one of two.

    With smaller ones the pre-activations shrink from layer to layer, and the competitions stay near chance.
    """
    default = uniform_init(fan_in)
    if competitors == 1:
        return default
    return default | {"kernel_init": nn.initializers.variance_scaling(competitors, "fan_in", "uniform")}


def digit_cnn(
    *,
    num_classes: int = 10,
    dtype: DTypeLike = "float32",
    image_size: int | tuple[int, int] = 28,
    channels: int = 1,
    competitors: int = 1,
) -> Target:
    """DISCOVER's network for MNIST; images are scaled to [0, 1] and not normalised further."""
    size = (image_size, image_size) if isinstance(image_size, int) else image_size
    return from_linen(
        DigitCNN(num_classes, competitors, dtype=compute_dtype(dtype)),
        name=competing_name("digit_cnn", competitors),
        num_classes=num_classes,
        preprocessing=Preprocessing(None, size, mean=(0.0,) * channels, std=(1.0,) * channels),
    )


def _recognise(shapes: Shapes) -> str | None:
    return "digit_cnn" if count_features(shapes) == (3, 0) else None


DIGIT_CNN = Family(
    {"digit_cnn": digit_cnn}, _recognise, first="features.0", last="classifier.2", flattened="classifier.0"
)
