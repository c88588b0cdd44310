"""A baseline that somebody adds: the worked example of docs/contributing.md, word for word."""

import jax.numpy as jnp
from jax import Array, lax

from jaxpath.explainers.scoring import Gated, Granularity, make_cut
from jaxpath.types import Explainer, Params, Target


def make_integrated_gates(
    target: Target, *, density: float, granularity: Granularity = "channel", steps: int = 10
) -> Explainer:
    """The mean of dy_c/dg_i while all gates open together, from 0 to 1: integrated gradients of gates.

    Unlike NeuronIntGrad it takes one path for all sites: as ``steps`` grows, the scores of all neurons sum to
    y_c of the whole network minus y_c of the closed one (Sundararajan et al. 2017, completeness).
    """

    def scores(params: Params, images: Array, labels: Array, *, key: Array) -> Array:
        del key
        gated = Gated(target, params, images, granularity)
        opened = gated.open()

        def add(total: Array, share: Array) -> tuple[Array, None]:
            return total + gated.gradient(share * opened, labels), None

        shares = (jnp.arange(steps) + 0.5) / steps
        total, _ = lax.scan(add, jnp.zeros_like(opened), shares)
        return total / steps

    return make_cut(target, scores, density=density, granularity=granularity)
