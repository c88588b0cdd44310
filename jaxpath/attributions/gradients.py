"""Attributions from gradients with respect to the pixels."""

import jax
import jax.numpy as jnp
from jax import Array, lax

from jaxpath.attributions.scores import (
    Reduce,
    as_pixels,
    check_count,
    magnitude,
    total,
)
from jaxpath.explainers import pixel_gradient
from jaxpath.explainers.scoring import logit_of
from jaxpath.targets.activation_detection import ACTIVATIONS
from jaxpath.targets.jaxpr_runner import evaluate
from jaxpath.types import Attribution, Params, Target


def make_gradient(target: Target, *, reduce: Reduce = magnitude) -> Attribution:
    """The gradient of y_c (Simonyan et al. 2014, arXiv 1312.6034)."""

    def attribute(params: Params, images: Array, labels: Array, *, key: Array) -> Array:
        del key
        return reduce(pixel_gradient(target, params, as_pixels(target, images), labels))

    return attribute


def make_input_x_gradient(target: Target, *, reduce: Reduce = total) -> Attribution:
    """Pixel times gradient (Shrikumar et al. 2016, arXiv 1605.01713)."""

    def attribute(params: Params, images: Array, labels: Array, *, key: Array) -> Array:
        del key
        pixels = as_pixels(target, images)
        return reduce(pixels * pixel_gradient(target, params, pixels, labels))

    return attribute


def make_guided(target: Target, *, reduce: Reduce = magnitude) -> Attribution:
    """Guided backpropagation: activations let through positive gradients only (Springenberg et al. 2015).

    Activations are recognised in the target's trace, so that any target will do (see
    :mod:`jaxpath.targets.jaxpr_runner`). arXiv 1412.6806.
    """

    def attribute(params: Params, images: Array, labels: Array, *, key: Array) -> Array:
        del key

        def score(pixels: Array) -> Array:
            return logit_of(target.apply(params, pixels).logits, labels).sum()

        pixels = as_pixels(target, images)
        traced = jax.make_jaxpr(score)(pixels)

        names = ACTIVATIONS if target.activations is None else target.activations

        def guided(pixels: Array) -> Array:
            (value,) = evaluate(traced, [pixels], names=names, visit=lambda _, a: _rectify_gradient(a))
            return value

        return reduce(jax.grad(guided)(pixels))

    return attribute


@jax.custom_vjp
def _rectify_gradient(x: Array) -> Array:
    """The identity, through which only positive gradients come back."""
    return x


_rectify_gradient.defvjp(lambda x: (x, None), lambda _, cotangent: (jax.nn.relu(cotangent),))


def make_integrated(
    target: Target, *, steps: int = 32, baseline: Array | float = 0.0, reduce: Reduce = total
) -> Attribution:
    """Integrated gradients from ``baseline`` to the image (Sundararajan et al. 2017, arXiv 1703.01365).

    Args:
        target: The classifier.
        steps: Points of the path, in the middle of equal parts.
        baseline: Normalised image [H, W, C], or one value; 0 is the mean colour of the training images.
        reduce: By default the sum over colours, and the sum over the map tends to y_c minus the baseline's.
    """
    check_count(steps, what="steps")

    def attribute(params: Params, images: Array, labels: Array, *, key: Array) -> Array:
        del key
        pixels = as_pixels(target, images)
        start = jnp.broadcast_to(jnp.asarray(baseline, jnp.float32), pixels.shape[1:])[None]

        def add(sum_: Array, share: Array) -> tuple[Array, None]:
            point = start + share * (pixels - start)
            return sum_ + pixel_gradient(target, params, point, labels), None

        shares = (jnp.arange(steps) + 0.5) / steps
        summed, _ = lax.scan(add, jnp.zeros_like(pixels), shares)
        return reduce((pixels - start) * summed / steps)

    return attribute


def make_smoothgrad(
    target: Target, *, samples: int = 25, noise: float = 0.15, reduce: Reduce = magnitude
) -> Attribution:
    """The mean gradient under Gaussian noise (Smilkov et al. 2017, arXiv 1706.03825).

    The noise is drawn from the key once for all images of a call, so that images do not mix.

    Args:
        target: The classifier.
        samples: Number of noisy copies.
        noise: Standard deviation, as a share of each image's range of normalised values.
        reduce: By default the largest absolute value of the colours.
    """
    check_count(samples, what="samples")

    def attribute(params: Params, images: Array, labels: Array, *, key: Array) -> Array:
        pixels = as_pixels(target, images)
        range_ = pixels.max(axis=(1, 2, 3), keepdims=True) - pixels.min(axis=(1, 2, 3), keepdims=True)

        def add(sum_: Array, key: Array) -> tuple[Array, None]:
            noisy = pixels + noise * range_ * jax.random.normal(key, pixels.shape[1:])[None]
            return sum_ + pixel_gradient(target, params, noisy, labels), None

        summed, _ = lax.scan(add, jnp.zeros_like(pixels), jax.random.split(key, samples))
        return reduce(summed / samples)

    return attribute
