"""What the generator is trained for: the masked target's prediction, a sparse mask, an honest mask.

The terms are our reading of arXiv 2309.09887 (knowledge distillation with a sparsity constraint); the
dual variable, the random densities, the leakage term and the budget are our own.
"""

import dataclasses
from collections.abc import Callable
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from jaxpath import losses
from jaxpath.devices.mesh import AXIS
from jaxpath.gencnp.daq import daq, straight_through
from jaxpath.gencnp.generator import Generator, generate
from jaxpath.pathways import flatten, order_statistic, unflatten
from jaxpath.types import Gates, InputError, Mean, Params, Target, TargetOutput

_WEIGHT_RANGE = (0.05, 50.0)
"""The dual variable stays in this range: it must be able to come back from either end."""

LEANEST = 0.8
"""With a budget, the sparsest cut as a share of it: each image may need less than the budget, our choice."""

_QUANTIZERS = {"daq": daq, "straight_through": straight_through}


@dataclasses.dataclass(frozen=True)
class ObjectiveOptions:
    """Weights and switches of the objective.

    Attributes:
        faithfulness: Nats of KL(clean || masked) that the pathway may cost on average. The sparsity
            weight is then the dual variable of that constraint. None: the weight is fixed.
        sparsity_weight: Price of a fully open network, in nats: the dual variable's starting point,
            or the fixed weight.
        warmup_steps: Steps over which a fixed weight rises from 0.
        dual_rate: Largest relative change of the dual variable in one step.
        budget: Share of the neurons that a pathway may keep: every mask is cut at a density a little below
            it, and must keep the predicted class. It replaces faithfulness, sparsity_weight, warmup_steps,
            dual_rate, random_density_share and min_density, which then have no effect. None: no budget.
        budget_steps: Steps over which the budget falls from 1.
        class_weight: Weight of the class head's distillation.
        leakage_weight: Weight of the evidence that a pathway creates for its class in an image of
            another class. Above 0, images 2i and 2i + 1 of a batch are each other's other image.
        temperature: T of the distillation.
        random_density_share: Share of the images whose mask is cut at a random density instead of at
            score 0.5: the scores then rank well at every density, not at one.
        min_density: Smallest random density; half of them are uniform up to 1, half log-uniform, since
            the sparse end is where the order matters most.
        rematerialize: Keep the activations of every third site of a masked forward pass for its gradient, and
            compute the others once more: less memory, more time, the same values.
        quantizer: "daq", or "straight_through" (the ablation).
    """

    faithfulness: float | None = 0.03
    sparsity_weight: float = 1.0
    warmup_steps: int = 200
    dual_rate: float = 0.05
    budget: float | None = None
    budget_steps: int = 600
    class_weight: float = 1.0
    leakage_weight: float = 0.0
    temperature: float = 1.0
    random_density_share: float = 0.5
    min_density: float = 0.02
    rematerialize: bool = False
    quantizer: Literal["daq", "straight_through"] = "daq"


class Sparsity(NamedTuple):
    """State carried from step to step, float32 scalars.

    Attributes:
        weight: The current price of openness.
        budget: The largest density at which masks are cut now.
    """

    weight: Array
    budget: Array


class Cut(NamedTuple):
    """Where each image's scores are cut in one step.

    Attributes:
        thresholds: [b], the score logit above which a neuron is kept.
        shown: [b], 1.0 where the cut is one that a user will see: metrics are means over these, and only
            these pay for openness.
    """

    thresholds: Array
    shown: Array


def init_sparsity(options: ObjectiveOptions) -> Sparsity:
    """The state before the first step: the dual variable's start, or 0 where a fixed weight warms up."""
    fixed = options.faithfulness is None or options.budget is not None
    return Sparsity(jnp.float32(0.0 if fixed else options.sparsity_weight), jnp.float32(1.0))


def make_objective(target: Target, generator: Generator, options: ObjectiveOptions) -> Any:
    """Builds the objective that :func:`jaxpath.training.make_train_step` compiles.

    Per image x, with H the target, p its softmax, k the predicted class, c the class head, m the mask, d its
    density, and x' an image of another class:

        T^2 KL(H(x) || H(x; m)) + weight * d + class_weight * KL(H(x) || c(x))
            + leakage_weight * max(0, log p(x'; m)_k - log p(x')_k)

    and with a budget, where d is given and only the class has to stay:

        -log p(x; m)_k + class_weight * KL(H(x) || c(x)) - leakage_weight * log(1 - p(x'; m)_k)

    Returns:
        ``objective(params, extra, frozen, batch, keys) -> (losses [b], (extra, metrics))``: the
        generator's parameters are differentiated; ``extra`` is a :class:`Sparsity`; ``frozen`` are the
        target's parameters; metrics are :class:`~jaxpath.types.Mean`.

    Raises:
        InputError: The budget is no share.
    """
    if options.budget is not None and not 0 < options.budget <= 1:
        raise InputError(
            f"the budget is {options.budget}; expected a share of the neurons above 0, at most 1"
        )
    quantize = _QUANTIZERS[options.quantizer]
    apply = rematerialized(target) if options.rematerialize else target.apply
    make_cut = _cut_in_budget if options.budget is not None else _cut_anywhere

    def objective(
        params: Params, extra: Sparsity, frozen: Params, batch: dict[str, Array], keys: Array
    ) -> tuple[Array, tuple[Sparsity, dict[str, Array | Mean]]]:
        images = batch["image"]
        # One clean forward serves teacher and generator; no gradient flows through it.
        clean = lax.stop_gradient(target.apply(frozen, images))
        predicted = clean.logits.argmax(axis=-1)
        output = generate(generator, params, clean)
        logits = flatten(output.logits, target.sites)  # [b, N]
        cut = make_cut(logits, keys, extra, options)
        masks = quantize(jax.nn.sigmoid(logits - cut.thresholds[:, None]))
        gates = unflatten(masks, target.sites, like=output.logits)
        masked = apply(frozen, images, gates)

        divergence = losses.kl_divergence(clean.logits, masked.logits, temperature=options.temperature)
        kept = divergence if options.budget is None else losses.cross_entropy(masked.logits, predicted)
        class_distillation = losses.kl_divergence(clean.logits, output.class_logits)
        density = masks.mean(axis=1)
        loss = kept + extra.weight * cut.shown * density + options.class_weight * class_distillation
        kl = Mean.of(divergence, cut.shown)
        metrics: dict[str, Array | Mean] = {
            "kl": kl,
            "kl_random_density": Mean.of(divergence, 1 - cut.shown),
            "kl_class_head": Mean.of(class_distillation),
            "density": Mean.of(density, cut.shown),
            "fidelity": Mean.of((masked.logits.argmax(axis=-1) == predicted).astype(jnp.float32), cut.shown),
            "sparsity_weight": extra.weight,
        }
        # A site that is open or closed for every image has collapsed: this is where one sees it.
        for name, mask in gates.items():
            open_share = mask.reshape(mask.shape[0], -1).mean(axis=1)
            metrics[f"density/{name}"] = Mean.of(open_share, cut.shown)
        if options.leakage_weight > 0:
            other = neighbours(images.shape[0])
            foreign = (predicted[other] != predicted).astype(jnp.float32)
            crossed = apply(frozen, images[other], gates).logits
            if options.budget is None:
                leak = losses.evidence_gain(clean.logits[other], crossed, predicted)
            else:
                leak = losses.rejection(crossed, predicted)
            loss = loss + options.leakage_weight * foreign * leak
            metrics["leakage_loss"] = Mean.of(leak, foreign)
            taken = (crossed.argmax(axis=-1) == predicted).astype(jnp.float32)
            metrics["leakage"] = Mean.of(taken, foreign * cut.shown)
        return loss, (_update_sparsity(extra, kl, options), metrics)

    return objective


def rematerialized(target: Target) -> Callable[[Params, Array, Gates], TargetOutput]:
    """``target.apply`` that keeps every third site for its gradient: the outputs of a ResNet-50's blocks."""
    kept = [site.name for site in target.sites[::3]]
    return jax.checkpoint(target.apply, policy=jax.checkpoint_policies.save_only_these_names(*kept))


def _cut_anywhere(logits: Array, keys: Array, extra: Sparsity, options: ObjectiveOptions) -> Cut:
    """Some images are cut at score 0.5, which has a price, the others at a random density."""
    del extra

    def draw(key: Array) -> tuple[Array, Array]:
        share, scale, place = jax.random.uniform(key, (3,))
        uniform = options.min_density + place * (1 - options.min_density)
        log_uniform = options.min_density ** (1 - place)
        natural = share >= options.random_density_share
        return natural.astype(jnp.float32), jnp.where(scale < 0.5, uniform, log_uniform)

    natural, density = jax.vmap(draw)(keys)
    return Cut(jnp.where(natural > 0, 0.0, threshold_for(logits, density)), natural)


def _cut_in_budget(logits: Array, keys: Array, extra: Sparsity, options: ObjectiveOptions) -> Cut:
    """Every image is cut at a density between the smallest of :func:`cuts_of` and the budget of this step."""
    del options
    share = jax.vmap(lambda key: jax.random.uniform(key, minval=LEANEST, maxval=1.0))(keys)
    return Cut(threshold_for(logits, share * extra.budget), jnp.ones_like(share))


def cuts_of(budget: float) -> tuple[float, ...]:
    """Densities at which an explainer tries a generator that was trained with a budget, ascending.

    >>> [round(cut, 3) for cut in cuts_of(0.5)]
    [0.4, 0.42, 0.44, 0.46, 0.48, 0.5]
    """
    return tuple(budget * (LEANEST + (1 - LEANEST) * step / 5) for step in range(6))


def threshold_for(logits: Array, density: Array) -> Array:
    """The logit above which a fraction ``density`` [B] of each image's ``logits`` [B, N] lies, [B].

    Midway between two neighbours in the order, so that rounding cannot move a neuron across it.
    Differentiable: pushing one neuron over the threshold pushes another one back. Where logits tie at it,
    they share the gradient.
    """
    count = logits.shape[1]
    below = jnp.clip(jnp.round((1 - density) * count).astype(jnp.int32), 1, count - 1)
    values = order_statistic(logits, jnp.stack([below - 1, below], axis=1))  # [B, 2]
    there = (logits[:, None] == values[:, :, None]).astype(logits.dtype)  # [B, 2, N]
    moving = (logits[:, None] * there).sum(axis=-1) / there.sum(axis=-1)
    return (values + moving - lax.stop_gradient(moving)).mean(axis=1)


def neighbours(count: int) -> Array:
    """The other image of each of ``count``: 2i and 2i + 1 are each other's.

    Neighbours stay on one device, so the pairs are the same on any number of devices.

    Raises:
        InputError: ``count`` is odd.
    """
    if count % 2:
        raise InputError(
            f"the leakage term pairs images, but each device has {count} of them: choose a batch size that "
            "gives every device an even number"
        )
    return jnp.arange(count) ^ 1


def _update_sparsity(extra: Sparsity, kl: Mean, options: ObjectiveOptions) -> Sparsity:
    """One step of the budget, of the dual variable, or of the fixed weight's warm-up."""
    if options.budget is not None:
        step = (1 - options.budget) / max(options.budget_steps, 1)
        return extra._replace(budget=jnp.maximum(extra.budget - step, options.budget))
    if options.faithfulness is None:
        step = options.sparsity_weight / max(options.warmup_steps, 1)
        return extra._replace(weight=jnp.minimum(extra.weight + step, options.sparsity_weight))
    total, count = lax.psum((lax.stop_gradient(kl.total), kl.count), AXIS)
    # Relative slack of the constraint; a batch without a natural mask says nothing.
    slack = jnp.where(count > 0, 1 - total / jnp.maximum(count, 1) / options.faithfulness, 0.0)
    weight = extra.weight * jnp.exp(options.dual_rate * jnp.clip(slack, -1, 1))
    return extra._replace(weight=jnp.clip(weight, *_WEIGHT_RANGE))
