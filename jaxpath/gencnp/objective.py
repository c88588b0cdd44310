"""What the generator is trained for: the masked target's prediction, a sparse mask, an honest mask.

The terms are our reading of arXiv 2309.09887 (knowledge distillation with a sparsity constraint); the
dual variable, the random densities and the leakage term are our own.
"""

import dataclasses
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from jaxpath import losses
from jaxpath.gencnp.daq import daq, straight_through
from jaxpath.gencnp.generator import Generator, generate
from jaxpath.pathways import flatten, unflatten
from jaxpath.training.sharding import AXIS
from jaxpath.types import InputError, Mean, Params, Target

_WEIGHT_RANGE = (0.05, 50.0)
"""The dual variable stays in this range: it must be able to come back from either end."""

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
        class_weight: Weight of the class head's distillation.
        leakage_weight: Weight of the evidence that a pathway creates for its class in an image of
            another class. Above 0, images 2i and 2i + 1 of a batch are each other's other image.
        leakage_term: What counts as leakage: "evidence", any rise of the class's log-probability, or
            "margin", how far the class is from losing by one logit.
        temperature: T of the distillation.
        random_density_share: Share of the images whose mask is cut at a random density instead of at
            score 0.5: the scores then rank well at every density, not at one.
        min_density: Smallest random density; half of them are uniform up to 1, half log-uniform, since
            the sparse end is where the order matters most.
        quantizer: "daq", or "straight_through" (the ablation).
    """

    faithfulness: float | None = 0.1
    sparsity_weight: float = 1.0
    warmup_steps: int = 200
    dual_rate: float = 0.05
    class_weight: float = 1.0
    leakage_weight: float = 0.0
    leakage_term: Literal["evidence", "margin"] = "evidence"
    temperature: float = 1.0
    random_density_share: float = 0.5
    min_density: float = 0.02
    quantizer: Literal["daq", "straight_through"] = "daq"


class Sparsity(NamedTuple):
    """State carried from step to step: the current price of openness, a float32 scalar."""

    weight: Array


def init_sparsity(options: ObjectiveOptions) -> Sparsity:
    """The state before the first step: the dual variable's start, or 0 where a fixed weight warms up."""
    return Sparsity(jnp.float32(options.sparsity_weight if options.faithfulness is not None else 0.0))


def make_objective(target: Target, generator: Generator, options: ObjectiveOptions) -> Any:
    """Builds the objective that :func:`jaxpath.training.make_train_step` compiles.

    Per image x, with H the target, c the class head, m the mask and d its density:

        T^2 KL(H(x) || H(x; m)) + weight * d + class_weight * KL(H(x) || c(x)) + leakage_weight * leak

    Returns:
        ``objective(params, extra, frozen, batch, keys) -> (losses [b], (extra, metrics))``: the
        generator's parameters are differentiated; ``extra`` is a :class:`Sparsity`; ``frozen`` are the
        target's parameters; metrics are :class:`~jaxpath.types.Mean`.
    """
    quantize = _QUANTIZERS[options.quantizer]

    def objective(
        params: Params, extra: Sparsity, frozen: Params, batch: dict[str, Array], keys: Array
    ) -> tuple[Array, tuple[Sparsity, dict[str, Array | Mean]]]:
        images = batch["image"]
        # One clean forward serves teacher and generator; no gradient flows through it.
        clean = lax.stop_gradient(target.apply(frozen, images))
        output = generate(generator, params, clean.features)
        logits = flatten(output.logits, target.sites)  # [b, N]
        natural, thresholds = _draw_thresholds(logits, keys, options)
        masks = quantize(jax.nn.sigmoid(logits - thresholds[:, None]))
        gates = unflatten(masks, target.sites, like=output.logits)
        masked = target.apply(frozen, images, gates)

        distillation = losses.kl_divergence(clean.logits, masked.logits, temperature=options.temperature)
        class_distillation = losses.kl_divergence(clean.logits, output.class_logits)
        density = masks.mean(axis=1)
        loss = distillation + extra.weight * natural * density + options.class_weight * class_distillation
        predicted = clean.logits.argmax(axis=-1)
        kl = Mean.of(distillation, natural)
        metrics: dict[str, Array | Mean] = {
            "kl": kl,
            "kl_random_density": Mean.of(distillation, 1 - natural),
            "kl_class_head": Mean.of(class_distillation),
            "density": Mean.of(density, natural),
            "fidelity": Mean.of((masked.logits.argmax(axis=-1) == predicted).astype(jnp.float32), natural),
            "sparsity_weight": extra.weight,
        }
        # A site that is open or closed for every image has collapsed: this is where one sees it.
        for name, mask in gates.items():
            open_share = mask.reshape(mask.shape[0], -1).mean(axis=1)
            metrics[f"density/{name}"] = Mean.of(open_share, natural)
        if options.leakage_weight > 0:
            leak, foreign = _leakage(
                target, frozen, images, clean.logits, predicted, gates, term=options.leakage_term
            )
            loss = loss + options.leakage_weight * leak
            metrics["evidence_leak"] = Mean.of(leak, foreign)
        return loss, (_update_sparsity(extra, kl, options), metrics)

    return objective


def _draw_thresholds(logits: Array, keys: Array, options: ObjectiveOptions) -> tuple[Array, Array]:
    """Which images keep their natural threshold (1.0 or 0.0), and each image's threshold logit, [b]."""

    def draw(key: Array) -> tuple[Array, Array]:
        share, scale, place = jax.random.uniform(key, (3,))
        uniform = options.min_density + place * (1 - options.min_density)
        log_uniform = options.min_density ** (1 - place)
        natural = share >= options.random_density_share
        return natural.astype(jnp.float32), jnp.where(scale < 0.5, uniform, log_uniform)

    natural, density = jax.vmap(draw)(keys)
    return natural, jnp.where(natural > 0, 0.0, threshold_for(logits, density))


def threshold_for(logits: Array, density: Array) -> Array:
    """The logit above which a fraction ``density`` [B] of each image's ``logits`` [B, N] lies, [B].

    Midway between two neighbours in the order, so that rounding cannot move a neuron across it.
    Differentiable: pushing one neuron over the threshold pushes another one back.
    """
    count = logits.shape[1]
    ordered = jnp.sort(logits, axis=1)
    below = jnp.clip(jnp.round((1 - density) * count).astype(jnp.int32), 1, count - 1)[:, None]
    low = jnp.take_along_axis(ordered, below - 1, axis=1)
    high = jnp.take_along_axis(ordered, below, axis=1)
    return ((low + high) / 2)[:, 0]


def _leakage(
    target: Target,
    frozen: Params,
    images: Array,
    clean_logits: Array,
    predicted: Array,
    gates: dict[str, Array],
    *,
    term: Literal["evidence", "margin"],
) -> tuple[Array, Array]:
    """Evidence that each pathway creates for its class in its neighbour, [b], and where it counts, [b]."""
    if images.shape[0] % 2:
        raise InputError(
            f"the leakage term pairs images, but each device has {images.shape[0]} of them: choose a "
            "batch size that gives every device an even number"
        )
    # Neighbours stay on one device, so the pairs are the same on any number of devices.
    other = jnp.arange(images.shape[0]) ^ 1
    masked = target.apply(frozen, images[other], gates)
    foreign = (predicted[other] != predicted).astype(jnp.float32)
    if term == "margin":
        return foreign * losses.winning_margin(masked.logits, predicted), foreign
    return foreign * losses.evidence_gain(clean_logits[other], masked.logits, predicted), foreign


def _update_sparsity(extra: Sparsity, kl: Mean, options: ObjectiveOptions) -> Sparsity:
    """One step of the dual variable, or of the fixed weight's warm-up."""
    if options.faithfulness is None:
        step = options.sparsity_weight / max(options.warmup_steps, 1)
        return Sparsity(jnp.minimum(extra.weight + step, options.sparsity_weight))
    total, count = lax.psum((lax.stop_gradient(kl.total), kl.count), AXIS)
    # Relative slack of the constraint; a batch without a natural mask says nothing.
    slack = jnp.where(count > 0, 1 - total / jnp.maximum(count, 1) / options.faithfulness, 0.0)
    weight = extra.weight * jnp.exp(options.dual_rate * jnp.clip(slack, -1, 1))
    return Sparsity(jnp.clip(weight, *_WEIGHT_RANGE))
