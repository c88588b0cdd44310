"""How many images at once fit into a memory budget."""

import math

import jax
import jax.numpy as jnp

from jaxpath.types import Target

_COPIES = 6
"""Arrays of the size of all activations that a gradient through the gated target holds at its peak."""


def fitting_batch_size(target: Target, *, budget: int = 2**30, largest: int = 128) -> int:
    """The largest power of two of images whose gated forward and backward pass fit into ``budget`` bytes.

    Counts the activations of all sites at the target's own input size. Explainers that search take one
    such pass at a time, so it holds for every explainer.

    Args:
        target: The classifier.
        budget: Bytes per device.
        largest: Upper limit: beyond it nothing gets faster.
    """
    shape = (1, *target.preprocessing.shape)
    params = jax.eval_shape(target.init, jax.random.key(0))
    features = jax.eval_shape(target.apply, params, jax.ShapeDtypeStruct(shape, jnp.uint8)).features
    each = _COPIES * sum(math.prod(f.shape) * f.dtype.itemsize for f in features.values())
    return 2 ** math.floor(math.log2(min(max(budget // each, 1), largest)))
