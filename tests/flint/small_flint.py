"""A LeNet for 8 x 8 images and its interpreter, with parameters that the tests share."""

from functools import cache

import jax
import numpy as np

from jaxpath import flint, targets
from jaxpath.types import Params

TARGET = targets.lenet(image_size=8, num_classes=4)
INTERPRETER = flint.make_interpreter(TARGET, flint.MNIST.sites, num_attributes=6, width=8)


@cache
def params() -> tuple[Params, Params]:
    """(the target's, the interpreter's), untrained."""
    own = TARGET.init(jax.random.key(0))
    return own, flint.init_interpreter(INTERPRETER, TARGET, own, key=jax.random.key(1))


def batch(size: int, *, seed: int = 0) -> dict[str, np.ndarray]:
    """Images whose class is the bright quarter."""
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 4, size).astype(np.int32)
    image = rng.integers(0, 60, (size, 8, 8, 1)).astype(np.uint8)
    for row, quarter in enumerate(label):
        top, left = 4 * (quarter // 2), 4 * (quarter % 2)
        image[row, top : top + 4, left : left + 4] += 180
    return {"image": image, "label": label}
