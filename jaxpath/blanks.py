"""Pictures that show nothing: what a pathway makes of them is in its mask."""

import jax
import jax.numpy as jnp
from jax import Array

from jaxpath.layers import normalize
from jaxpath.types import Preprocessing

BLANKS = ("noise", "grey", "black", "shuffled")
"""Kinds of blank pictures."""


def as_floats(images: Array, preprocessing: Preprocessing) -> Array:
    """Images as a target's floating-point input: raw uint8 normalised, floats as they are."""
    return normalize(images, preprocessing) if images.dtype == jnp.uint8 else images


def blank_pictures(pixels: Array, places: Array, preprocessing: Preprocessing, *, seed: int) -> Array:
    """Blank pictures of each kind of :data:`BLANKS`, beside each image: [4, B, H, W, C].

    Noise has independent pixels from 0 to 255; grey is 128 and black 0; shuffled are the image's own pixels
    in another order, which keeps its colours.

    Args:
        pixels: Images [B, H, W, C], raw uint8 or normalised; blank pictures are of the same form.
        places: int [B], their places in the data set: what is drawn depends on these alone.
        preprocessing: The target's.
        seed: Of what is drawn.
    """

    def of_image(picture: Array, place: Array) -> tuple[Array, Array]:
        key = jax.random.fold_in(jax.random.key(seed), place)
        noise = jax.random.randint(key, picture.shape, 0, 256)
        flat = picture.reshape(-1, picture.shape[-1])
        return noise, jax.random.permutation(key, flat).reshape(picture.shape)

    # Padding has the place -1, and only whole numbers above can be folded in.
    noise, shuffled = jax.vmap(of_image)(pixels, jnp.maximum(places, 0))
    raw = jnp.stack([noise, jnp.full_like(noise, 128), jnp.zeros_like(noise)])
    if pixels.dtype != jnp.uint8:
        raw = normalize(raw.reshape(-1, *noise.shape[1:]), preprocessing).reshape(raw.shape)
    return jnp.concatenate([raw.astype(pixels.dtype), shuffled[None]])
