"""Scores from one look at the target, or from a path of looks: no search, no training."""

import jax
import jax.numpy as jnp
from jax import Array, lax

from jaxpath.explainers.scoring import Gated, Granularity, make_cut
from jaxpath.pathways import flatten
from jaxpath.places import mean_over_places
from jaxpath.types import Explainer, Params, Target


def make_random(target: Target, *, density: float, granularity: Granularity = "channel") -> Explainer:
    """Uniform scores, drawn anew for every image: the floor of every comparison."""

    def scores(params: Params, images: Array, labels: Array, *, key: Array) -> Array:
        del labels
        return jax.random.uniform(key, Gated(target, params, images, granularity).open().shape)

    return make_cut(target, scores, density=density, granularity=granularity)


def make_constant(target: Target, *, density: float, granularity: Granularity = "channel") -> Explainer:
    """Uniform scores, drawn once and the same for every image: overlaps of 1 that mean nothing."""

    def scores(params: Params, images: Array, labels: Array, *, key: Array) -> Array:
        del labels, key
        shape = Gated(target, params, images, granularity).open().shape
        return jnp.broadcast_to(jax.random.uniform(jax.random.key(0), shape[1:]), shape)

    return make_cut(target, scores, density=density, granularity=granularity)


def make_activation(target: Target, *, density: float, granularity: Granularity = "channel") -> Explainer:
    """The mean absolute activation of a channel over space, or a unit's absolute activation."""

    def scores(params: Params, images: Array, labels: Array, *, key: Array) -> Array:
        del labels, key
        features = {name: jnp.abs(f) for name, f in target.apply(params, images).features.items()}
        if granularity == "channel":
            features = {name: mean_over_places(feature) for name, feature in features.items()}
        return flatten(features, target.sites).astype(jnp.float32)

    return make_cut(target, scores, density=density, granularity=granularity)


def make_taylor(target: Target, *, density: float, granularity: Granularity = "channel") -> Explainer:
    """|a_i dy_c/da_i|, one backward pass (NeuronMCT: Khakzar et al., CVPR 2021).

    A channel's products are summed over space before the absolute value.
    """

    def scores(params: Params, images: Array, labels: Array, *, key: Array) -> Array:
        del key
        return jnp.abs(_taylor(target, params, images, labels, granularity))

    return make_cut(target, scores, density=density, granularity=granularity)


def make_taylor_signed(target: Target, *, density: float, granularity: Granularity = "channel") -> Explainer:
    """a_i dy_c/da_i with its sign: what speaks against the class goes first.

    >>> from jaxpath import targets
    >>> from jaxpath.types import Preprocessing
    >>> def forward(params, images):
    ...     return jax.nn.relu(images.reshape(len(images), -1)) @ params
    >>> weights, pixels = jnp.array([[2.0, 0.0], [-1.0, 0.0]]), Preprocessing(None, (1, 2), (0.0,), (1.0,))
    >>> target = targets.adapt_function(forward, init=lambda _: weights, name="two", preprocessing=pixels)
    >>> explain = make_taylor_signed(target, density=0.5)
    >>> image = jnp.array([[[[3.0], [1.0]]]])  # so that the class has 2 * 3 - 1 * 1
    >>> pathway = explain(weights, image, jnp.array([0]), key=jax.random.key(0))
    >>> pathway.scores["000.relu"].tolist(), pathway.masks["000.relu"].tolist()
    ([[6.0, -1.0]], [[1.0, 0.0]])
    """

    def scores(params: Params, images: Array, labels: Array, *, key: Array) -> Array:
        del key
        return _taylor(target, params, images, labels, granularity)

    return make_cut(target, scores, density=density, granularity=granularity)


def _taylor(target: Target, params: Params, images: Array, labels: Array, granularity: Granularity) -> Array:
    gated = Gated(target, params, images, granularity)
    return gated.gradient(gated.open(), labels)


def make_integrated_gradients(
    target: Target, *, density: float, granularity: Granularity = "channel", steps: int = 10
) -> Explainer:
    """|a_i mean_j dy_c/da_i|, one site at a time scaled by j / steps (NeuronIntGrad, Khakzar et al. 2021)."""

    def scores(params: Params, images: Array, labels: Array, *, key: Array) -> Array:
        del key
        return jnp.abs(integrated_gradients(target, params, images, labels, granularity, steps=steps))

    return make_cut(target, scores, density=density, granularity=granularity)


def integrated_gradients(
    target: Target,
    params: Params,
    images: Array,
    labels: Array,
    granularity: Granularity = "channel",
    *,
    steps: int = 10,
) -> Array:
    """Signed NeuronIntGrad, [B, N] or [B, U].

    The path of a site scales its activation by j / steps, j = 1 .. steps, all other sites as they are;
    the published code accumulates the factor up to (steps + 1) / 2, which is no path. As ``steps``
    grows, the scores of one site sum to y_c minus y_c with that site closed (completeness).
    """
    gated = Gated(target, params, images, granularity)
    sites = gated.site_numbers()
    opened = gated.open()

    def add(total: Array, point: tuple[Array, Array]) -> tuple[Array, None]:
        site, factor = point
        in_site = sites[None] == site
        gradient = gated.gradient(jnp.where(in_site, factor, opened), labels)
        return total + jnp.where(in_site, gradient, 0), None

    # One program for all sites and all points of their paths, and the memory of one backward pass.
    numbers = jnp.repeat(jnp.arange(len(target.sites)), steps)
    factors = jnp.tile(jnp.arange(1, steps + 1) / steps, len(target.sites))
    total, _ = lax.scan(add, jnp.zeros_like(opened), (numbers, factors))
    return total / steps
