"""Distance-aware quantisation to one bit (Kim et al., ICCV 2021), as GEN-CNP binarises its scores."""

import math
from functools import partial

import jax
import jax.numpy as jnp
from jax import Array


def open_neurons(scores: Array) -> Array:
    """The one rule of what a score means: 1 above 0.5, else 0, of the scores' shape and dtype.

    In training, scores at another cut are those of the logits less its threshold.
    """
    return (scores > 0.5).astype(scores.dtype)


@partial(jax.custom_vjp, nondiff_argnums=(1, 2))
def daq(scores: Array, gamma: float = 2.0, sigma: float = 1.0) -> Array:
    """Rounds scores in (0, 1) to 0 or 1; its gradient is that of the soft assignment it replaces.

    With t = min(s, 1 - s) and kappa = exp(-1 / sigma^2),

        dm/ds = gamma / (2 sinh gamma) * (exp(-t) + kappa exp(t - 1)) / (exp(-t) - kappa exp(t - 1))

    Published (Kim et al. 2021, section 3, for one bit): at gamma 2, sigma 1 it runs from 0.362 at the
    ends to 0.597 in the middle, so a neuron near the threshold learns fastest and none stops learning.

    Args:
        scores: In (0, 1), any shape. A tie at 0.5 closes.
        gamma: Temperature of the soft assignment.
        sigma: Width of the distance kernel.

    Returns:
        0/1 masks of the scores' shape and dtype.

    >>> daq(jnp.array([0.2, 0.5, 0.9])).tolist()
    [0.0, 0.0, 1.0]
    """
    return open_neurons(scores)


def daq_slope(scores: Array, gamma: float = 2.0, sigma: float = 1.0) -> Array:
    """The formula dm/ds of :func:`daq`, elementwise."""
    nearest = jnp.minimum(scores, 1 - scores)
    kappa = math.exp(-1 / sigma**2)
    near, far = jnp.exp(-nearest), kappa * jnp.exp(nearest - 1)
    return gamma / (2 * math.sinh(gamma)) * (near + far) / (near - far)


def _forward(scores: Array, gamma: float, sigma: float) -> tuple[Array, Array]:
    return daq(scores, gamma, sigma), scores


def _backward(gamma: float, sigma: float, scores: Array, cotangent: Array) -> tuple[Array]:
    return (cotangent * daq_slope(scores, gamma, sigma),)


daq.defvjp(_forward, _backward)


@jax.custom_vjp
def straight_through(scores: Array) -> Array:
    """Rounds scores in (0, 1) to 0 or 1 with gradient 1 (Bengio et al. 2013): the ablation of DAQ."""
    return open_neurons(scores)


straight_through.defvjp(lambda scores: (straight_through(scores), None), lambda _, cotangent: (cotangent,))
