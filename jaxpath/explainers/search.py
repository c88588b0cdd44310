"""Scores that are searched for image by image: greedy removal, and gates that are optimised."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array, lax

from jaxpath.explainers.scoring import Gated, Granularity, make_cut
from jaxpath.pathways import flatten, ranks
from jaxpath.types import Explainer, Params, Target

_SPARSITY = 0.05
_LEARNING_RATE = 0.1
_MOMENTUM = 0.9
_LARGEST_GATE = 100.0

_Search = tuple[Array, optax.OptState, Array, Array]
"""Gates, state of the optimizer, the best gates so far and their loss."""


def make_greedy(
    target: Target, *, density: float, granularity: Granularity = "channel", share: float = 0.01
) -> Explainer:
    """Removes ``share`` of the open neurons at a time, those of the smallest current |a_i dy_c/da_i|.

    The scores are taken anew under each mask, and what is removed stays removed. A neuron's score is the
    step at which it went, so a lower ``density`` takes longer and ranks more neurons. Dead neurons have
    no influence and go first (Khakzar et al., CVPR 2021, NeuronMCT's iterative form).
    """

    def scores(params: Params, images: Array, labels: Array, *, key: Array) -> Array:
        del key
        gated = Gated(target, params, images, granularity)
        start = gated.open()

        def influence(mask: Array) -> Array:
            return jnp.abs(gated.gradient(mask, labels)) * mask

        def remove(
            carry: tuple[Array, Array], point: tuple[Array, Array]
        ) -> tuple[tuple[Array, Array], None]:
            mask, score = carry
            step, num_open = point
            now = influence(mask)
            kept = (ranks(jnp.where(mask > 0, now, -1.0)) < num_open).astype(mask.dtype)
            # The integer part says when, the fraction orders those that go together.
            score = jnp.where(mask > kept, step + _fraction(now), score)
            return (kept, score), None

        counts = removal_schedule(start.shape[1], density, share)
        steps = jnp.arange(len(counts), dtype=jnp.float32)
        (mask, score), _ = lax.scan(remove, (start, jnp.zeros_like(start)), (steps, jnp.asarray(counts)))
        return jnp.where(mask > 0, len(counts) + _fraction(influence(mask)), score)

    return make_cut(target, scores, density=density, granularity=granularity)


def removal_schedule(count: int, density: float, share: float) -> list[int]:
    """How many neurons are open after each step, until ``density`` of ``count`` is reached.

    >>> removal_schedule(100, 0.97, 0.01)
    [99, 98, 97]
    """
    final, left, schedule = round(density * count), count, []
    while left > final:
        left = max(final, left - max(1, round(share * left)))
        schedule.append(left)
    return schedule


def _fraction(scores: Array) -> Array:
    """Scores scaled into [0, 1) within each image."""
    return scores / (scores.max(axis=1, keepdims=True) * (1 + 1e-4) + np.finfo(np.float32).tiny)


def make_dgr(
    target: Target, *, density: float, granularity: Granularity = "channel", steps: int = 30
) -> Explainer:
    """Distillation-guided routing (Wang et al., CVPR 2018): the score is a gate, optimised per image.

    From gates of 1, ``steps`` steps of SGD with momentum on CE(softmax H(x), softmax H(x; gate)) +
    0.05 sum |gate|, clipped to [0, 100]; the gates of the lowest loss that keep the prediction count.
    """

    def scores(params: Params, images: Array, labels: Array, *, key: Array) -> Array:
        del labels, key
        gated = Gated(target, params, images, granularity)
        return optimise_gates(gated, gated.open(), steps=steps)

    return make_cut(target, scores, density=density, granularity=granularity)


def make_refined(
    target: Target,
    explain: Explainer,
    *,
    density: float,
    granularity: Granularity = "channel",
    steps: int = 30,
) -> Explainer:
    """Starts :func:`make_dgr`'s optimisation from the scores of ``explain``, which lie in [0, 1].

    What it gains is the amortisation gap of a trained explainer.
    """

    def scores(params: Params, images: Array, labels: Array, *, key: Array) -> Array:
        start = flatten(explain(params, images, labels, key=key).scores, target.sites)
        return optimise_gates(Gated(target, params, images, granularity), start, steps=steps)

    return make_cut(target, scores, density=density, granularity=granularity)


def optimise_gates(gated: Gated, start: Array, *, steps: int) -> Array:
    """The gates of :func:`make_dgr`, [B, N] or [B, U], searched from ``start``."""
    optimizer = optax.sgd(_LEARNING_RATE, momentum=_MOMENTUM)
    teacher = jax.nn.softmax(gated.clean.logits)
    predicted = gated.clean.logits.argmax(axis=-1)

    def loss(gates: Array) -> tuple[Array, tuple[Array, Array]]:
        logits = gated.logits(gates)
        cross_entropy = optax.softmax_cross_entropy(logits, teacher)
        each = cross_entropy + _SPARSITY * jnp.abs(gates).sum(axis=1)
        # A sum: the gates of one image do not depend on the others of its batch.
        return each.sum(), (each, logits.argmax(axis=-1) == predicted)

    def step(carry: _Search, _: None) -> tuple[_Search, None]:
        gates, moments, best, lowest = carry
        gradient, (each, faithful) = jax.grad(loss, has_aux=True)(gates)
        better = faithful & (each < lowest)
        best = jnp.where(better[:, None], gates, best)
        lowest = jnp.where(better, each, lowest)
        updates, moments = optimizer.update(gradient, moments)
        gates = jnp.clip(gates + updates, 0.0, _LARGEST_GATE)
        return (gates, moments, best, lowest), None

    carry = (start, optimizer.init(start), start, jnp.full(start.shape[0], jnp.inf))
    # One look more than updates: the gates after the last update count as well.
    (_, _, best, _), _ = lax.scan(step, carry, None, length=steps + 1)
    return best
