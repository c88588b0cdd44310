"""What every attribution shares: its input, and how colours become one value."""

from collections.abc import Callable

import jax.numpy as jnp
from jax import Array

from jaxpath.targets.linen import as_input
from jaxpath.types import InputError, Target

Reduce = Callable[[Array], Array]
"""Values of each pixel and colour, [B, H, W, C] -> [B, H, W] or, to keep the colours, themselves."""


def total(values: Array) -> Array:
    """The sum over colours: what completeness and conservation are about."""
    return values.sum(axis=-1)


def magnitude(values: Array) -> Array:
    """The largest absolute value of the colours (Simonyan et al. 2014, section 3.1)."""
    return jnp.abs(values).max(axis=-1)


def unreduced(values: Array) -> Array:
    """Every colour's own value."""
    return values


def as_pixels(target: Target, images: Array) -> Array:
    """Normalised images, float32."""
    return as_input(jnp.asarray(images), target.preprocessing, name=target.name).astype(jnp.float32)


def check_count(count: int, *, what: str) -> None:
    """Raises an :class:`InputError` unless at least one ``what`` was asked for."""
    if count < 1:
        raise InputError(f"{count} {what} were asked for; expected at least 1")
