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


def drawn_blanks(pixels: Array, keys: Array, preprocessing: Preprocessing) -> Array:
    """A blank picture beside each image, of a kind of :data:`BLANKS` that is drawn: [B, H, W, C].

    Args:
        pixels: Images [B, H, W, C], raw uint8 or normalised; blank pictures are of the same form.
        keys: Random keys, [B].
        preprocessing: The target's.
    """

    def of_image(picture: Array, key: Array) -> Array:
        kind, drawn = jax.random.split(key)
        return _blanks_of(picture, drawn, preprocessing)[jax.random.randint(kind, (), 0, len(BLANKS))]

    return jax.vmap(of_image)(pixels, keys)


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

    def of_image(picture: Array, place: Array) -> Array:
        return _blanks_of(picture, jax.random.fold_in(jax.random.key(seed), place), preprocessing)

    # Padding has the place -1, and only whole numbers above can be folded in.
    return jax.vmap(of_image, out_axes=1)(pixels, jnp.maximum(places, 0))


def _blanks_of(picture: Array, key: Array, preprocessing: Preprocessing) -> Array:
    """The blank pictures beside an image [H, W, C], one of each kind: [4, H, W, C]."""
    noise = jax.random.randint(key, picture.shape, 0, 256)
    shuffled = jax.random.permutation(key, picture.reshape(-1, picture.shape[-1])).reshape(picture.shape)
    raw = jnp.stack([noise, jnp.full_like(noise, 128), jnp.zeros_like(noise)])
    if picture.dtype != jnp.uint8:
        raw = normalize(raw, preprocessing)
    return jnp.concatenate([raw.astype(picture.dtype), shuffled[None]])
