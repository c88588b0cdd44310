"""Activation maximisation with partial initialisation: a picture of what an attribute looks for.

Start from a dimmed image and ascend C phi_j(x) - l_tv TV(x) - l_bd Bound(x) - l_1 mean|x| (official code).
"""

from collections.abc import Callable
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array, lax

from jaxpath.flint.interpreter import Interpreter, interpret
from jaxpath.types import Params, Target


class Maximisation(NamedTuple):
    """Settings of the ascent; the defaults are those for MNIST and QuickDraw (official code).

    Attributes:
        dim: rho, factor of the image that it starts from.
        gain: C, weight of the attribute.
        variation: l_tv, weight of :func:`total_variation`.
        bound: l_bd, weight of :func:`out_of_bounds`.
        size: l_1, weight of mean|x|.
        low: Smallest value of a normalised pixel.
        high: Largest value of a normalised pixel.
        learning_rate: Adam's in the first round.
        decay: Factor of the learning rate from round to round; each round starts Adam anew.
        rounds: Number of rounds.
        iterations: Steps of a round.
    """

    dim: float = 0.3
    gain: float = 2.0
    variation: float = 6.0
    bound: float = 10.0
    size: float = 0.0
    low: float = 0.0
    high: float = 1.0
    learning_rate: float = 0.05
    decay: float = 0.5
    rounds: int = 12
    iterations: int = 50


MNIST_MAXIMISATION = Maximisation()
"""For MNIST, FashionMNIST and QuickDraw."""

CIFAR10_MAXIMISATION = Maximisation(dim=0.4, variation=20.0, bound=20.0, low=-2.5, high=2.5)
"""For images normalised to about unit deviation, in the global view; the local one dims by 0.6."""


def total_variation(images: Array) -> Array:
    """mean|dx| + mean|dy|, [B, H, W, C] -> [B]."""
    down = jnp.abs(images[:, 1:] - images[:, :-1]).mean(axis=(1, 2, 3))
    return down + jnp.abs(images[:, :, 1:] - images[:, :, :-1]).mean(axis=(1, 2, 3))


def out_of_bounds(images: Array, low: float, high: float) -> Array:
    """Mean over the pixels of |x| where x lies outside [low, high], else 0: [B, H, W, C] -> [B]."""
    outside = (images > high) | (images < low)
    return (jnp.abs(images) * outside).mean(axis=(1, 2, 3))


def activation_maximisation(
    score: Callable[[Array], Array], images: Array, options: Maximisation = MNIST_MAXIMISATION
) -> Array:
    """Pictures that raise ``score``, each from its own start; nothing is clipped.

    Args:
        score: Normalised images [B, H, W, C] -> [B], one value per image that depends on no other image.
        images: Where to start, before they are dimmed: normalised floating-point images.
        options: Weights and schedule.

    Returns:
        Normalised images [B, H, W, C].
    """

    def loss(images: Array) -> Array:
        penalty = (
            options.variation * total_variation(images)
            + options.bound * out_of_bounds(images, options.low, options.high)
            + options.size * jnp.abs(images).mean(axis=(1, 2, 3))
        )
        return (penalty - options.gain * score(images)).sum()

    def step(carry: tuple[Array, optax.OptState, Array], _: None):
        images, moments, rate = carry
        direction, moments = adam.update(jax.grad(loss)(images), moments)
        return (images - rate * direction, moments, rate), None

    def ascend(images: Array, rate: Array) -> tuple[Array, None]:
        carry = (images, adam.init(images), rate)
        (images, _, _), _ = lax.scan(step, carry, length=options.iterations)
        return images, None

    adam = optax.scale_by_adam()
    rates = options.learning_rate * options.decay ** jnp.arange(options.rounds, dtype=jnp.float32)
    images, _ = lax.scan(ascend, options.dim * images, rates)
    return images


def maximise_attributes(
    target: Target,
    interpreter: Interpreter,
    target_params: Params,
    params: Params,
    images: Array | np.ndarray,
    attributes: Array | np.ndarray,
    options: Maximisation = MNIST_MAXIMISATION,
) -> Array:
    """For each image the picture that raises one attribute; all of them in one compiled program.

    Args:
        target: The classifier, in evaluation mode.
        interpreter: Its interpreter.
        target_params: The target's parameters.
        params: The interpreter's.
        images: Normalised images [B, H, W, C] to start from.
        attributes: Which attribute of each image, int [B].
        options: Weights and schedule.

    Returns:
        Normalised images [B, H, W, C].
    """

    @jax.jit
    def run(target_params: Params, params: Params, images: Array, attributes: Array) -> Array:
        def score(images: Array) -> Array:
            features = target.apply(target_params, images).features
            phi = interpret(interpreter, params, features).attributes
            return jnp.take_along_axis(phi, attributes[:, None], axis=1)[:, 0]

        return activation_maximisation(score, images, options)

    return run(target_params, params, jnp.asarray(images), jnp.asarray(attributes))
