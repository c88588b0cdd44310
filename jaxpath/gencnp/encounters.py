"""What pathways meet in training beside their own image: other fills, and other pictures.

All of it is our own choice: a mask that has met 0 in closed neurons and its own image alone is a switch for
its class.
"""

import math
from collections.abc import Mapping, Sequence

import jax
import jax.numpy as jnp
from jax import Array, lax

from jaxpath.devices.mesh import AXIS
from jaxpath.fills import Ablation, blend, take

_TOGETHER = 16
"""Images among which another one of the class is looked for."""


def drawn_fills(
    ablations: Sequence[Ablation],
    features: Mapping[str, Array],
    other: tuple[Array, Array],
    keys: Array,
) -> Mapping[str, Array] | None:
    """What the closed neurons of each image hold, under an ablation that each image draws.

    The means are those of the batch over all devices: they follow the augmentation and cost no pass. An
    interchange goes a drawn part of the way from the mean to the activation of another image.

    Args:
        ablations: Those to draw from, each as likely as the others.
        features: The images' activations by site, [b, ...].
        other: For each image the place in the batch of one of another class, int [b]; and 1.0, or 0.0 where
            there is none, [b].
        keys: Of these images, [b].

    Returns:
        Site name -> [b, C], or the activations' shape; None where closed neurons hold 0.
    """
    if tuple(ablations) == ("zero",):
        return None
    draws = jax.vmap(lambda key: jax.random.uniform(key, (2,)))(keys)
    choice = (draws[:, 0] * len(ablations)).astype(jnp.int32)
    kept = jnp.array([name != "zero" for name in ablations])[choice]

    def usual(activation: Array) -> Array:
        mean = lax.pmean(activation.mean(axis=tuple(range(activation.ndim - 1))), AXIS)
        return kept[:, None] * mean[None]

    means = {name: usual(activation) for name, activation in features.items()}
    if "interchange" not in ablations:
        return means
    places, exists = other
    strength = jnp.array([name == "interchange" for name in ablations])[choice] * draws[:, 1] * exists
    return blend(means, take(features, places), strength)


def kin(classes: Array) -> tuple[Array, Array]:
    """For each image the next one of its class among up to 16 that lie together: places, and 1.0 if there is.

    Where 16 divide the part of each device, the places are the same on any number of devices.

    >>> kin(jnp.array([0, 1, 0, 0, 2]))[0].tolist()
    [0, 1, 2, 3, 4]
    >>> kin(jnp.array([0, 1, 0, 1, 2, 2, 2, 3]))[0].tolist()
    [2, 3, 0, 1, 5, 6, 4, 7]
    """
    size = math.gcd(classes.shape[0], _TOGETHER)
    grouped = classes.reshape(-1, size)
    inside = jnp.arange(size)
    steps = ((inside[None, :] - inside[:, None]) % size)[None]
    same = (grouped[:, :, None] == grouped[:, None, :]) & (steps > 0)
    nearest = jnp.where(same, steps, size).argmin(axis=2)
    exists = same.any(axis=2)
    first = size * jnp.arange(len(grouped))[:, None]
    places = first + jnp.where(exists, nearest, inside[None])
    return places.reshape(-1), exists.reshape(-1).astype(jnp.float32)
