"""What the generator is trained for: the masked target's prediction, a sparse mask, an honest mask.

The terms are our reading of arXiv 2309.09887 (knowledge distillation with a sparsity constraint); what can be
asked of a pathway is in :mod:`jaxpath.gencnp.aims`.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Literal

import jax
import jax.numpy as jnp
from jax import Array, lax

from jaxpath import losses
from jaxpath.gencnp.aims import Aim, Cut, Faithfulness, Sparsity, require
from jaxpath.gencnp.daq import daq, straight_through
from jaxpath.gencnp.generator import Generator, generate
from jaxpath.gencnp.reading import read
from jaxpath.pathways import flatten, unflatten
from jaxpath.types import Batch, Gates, InputError, Mean, Objective, Params, Target, TargetOutput

_QUANTIZERS = {"daq": daq, "straight_through": straight_through}


@dataclasses.dataclass(frozen=True)
class ObjectiveOptions:
    """The aim, and weights and switches that all aims have.

    Attributes:
        aim: What is asked of a pathway: :class:`~jaxpath.gencnp.Faithfulness`,
            :class:`~jaxpath.gencnp.FixedWeight` or :class:`~jaxpath.gencnp.Budget`.
        class_weight: Weight of the class head's distillation.
        leakage_weight: Weight of the evidence that a pathway creates for its class in an image of
            another class. Above 0, images 2i and 2i + 1 of a batch are each other's other image.
        rematerialize: Keep the activations of every third site of a masked forward pass for its gradient, and
            compute the others once more: less memory, more time, the same values.
        quantizer: "daq", or "straight_through" (the ablation).

    Raises:
        InputError: A weight is below 0, or there is no such quantizer.
    """

    aim: Aim = dataclasses.field(default_factory=Faithfulness)
    class_weight: float = 1.0
    leakage_weight: float = 0.0
    rematerialize: bool = False
    quantizer: Literal["daq", "straight_through"] = "daq"

    def __post_init__(self) -> None:
        require(self.class_weight >= 0, "class_weight", self.class_weight, "0 or more")
        require(self.leakage_weight >= 0, "leakage_weight", self.leakage_weight, "0 or more")
        if self.quantizer not in _QUANTIZERS:
            raise InputError(f"the quantizer is {self.quantizer!r}; choose one of {', '.join(_QUANTIZERS)}")


def init_sparsity(options: ObjectiveOptions) -> Sparsity:
    """The state before the first step."""
    return options.aim.first_state()


def make_objective(target: Target, generator: Generator, options: ObjectiveOptions) -> Objective:
    """Builds the objective that :func:`jaxpath.training.make_train_step` compiles.

    Per image x, with H the target, p its softmax, k the predicted class, c the class head, m the mask, d its
    density, and x' an image of another class:

        (1 - s) T^2 KL(H(x) || H(x; m)) - s log p(x; m)_k + weight * d + class_weight * KL(H(x) || c(x))
            + leakage_weight * max(0, log p(x'; m)_k - log p(x')_k)

    with s the share of the decision;and with a budget, where d is given and only the class has to stay:

        -log p(x; m)_k + class_weight * KL(H(x) || c(x)) - leakage_weight * log(1 - p(x'; m)_k)

    Returns:
        ``objective(params, extra, frozen, batch, keys) -> (losses [b], (extra, metrics))``: the
        generator's parameters are differentiated; ``extra`` is a :class:`~jaxpath.gencnp.Sparsity`;
        ``frozen`` are the target's parameters; metrics are :class:`~jaxpath.types.Mean`.
    """
    aim, quantize = options.aim, _QUANTIZERS[options.quantizer]
    apply = rematerialized(target) if options.rematerialize else target.apply

    def objective(
        params: Params, extra: Sparsity, frozen: Params, batch: Batch, keys: Array
    ) -> tuple[Array, tuple[Sparsity, dict[str, Array | Mean]]]:
        images = batch["image"]
        # One clean forward serves teacher and generator; no gradient flows through it.
        with jax.named_scope("clean"):
            clean, reading = lax.stop_gradient(read(target, frozen, images))
        predicted = clean.logits.argmax(axis=-1)
        with jax.named_scope("generate"):
            output = generate(generator, params, reading)
        logits = flatten(output.logits, target.sites)  # [b, N]
        cut = aim.cut(logits, keys, extra)
        masks = quantize(jax.nn.sigmoid(logits - cut.thresholds[:, None]))
        gates = unflatten(masks, target.sites, like=output.logits)
        with jax.named_scope("gated"):
            masked = apply(frozen, images, gates)

        prediction_loss, divergence = aim.prediction_losses(clean.logits, masked.logits, predicted)
        class_loss = losses.kl_divergence(clean.logits, output.class_logits)
        density = masks.mean(axis=1)
        loss = prediction_loss + extra.weight * cut.shown * density + options.class_weight * class_loss
        kl = Mean.of(divergence, cut.shown)
        metrics: dict[str, Array | Mean] = {
            "kl": kl,
            "kl_random_density": Mean.of(divergence, 1 - cut.shown),
            "kl_class_head": Mean.of(class_loss),
            "density": Mean.of(density, cut.shown),
            "fidelity": Mean.of((masked.logits.argmax(axis=-1) == predicted).astype(jnp.float32), cut.shown),
            "sparsity_weight": extra.weight,
            **_density_by_site(gates, cut.shown),
        }
        if options.leakage_weight > 0:

            def crossed_logits(other: Array) -> Array:
                with jax.named_scope("gated"):
                    return apply(frozen, images[other], gates).logits

            leakage_loss, leakage = _leakage(options, clean.logits, predicted, crossed_logits, cut)
            loss = loss + leakage_loss
            metrics |= leakage
        return loss, (aim.next_state(extra, kl), metrics)

    return objective


def rematerialized(target: Target) -> Callable[[Params, Array, Gates], TargetOutput]:
    """``target.apply`` that keeps every third site for its gradient: the outputs of a ResNet-50's blocks."""
    kept = [site.name for site in target.sites[::3]]
    return jax.checkpoint(target.apply, policy=jax.checkpoint_policies.save_only_these_names(*kept))


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


def _leakage(
    options: ObjectiveOptions,
    clean: Array,
    predicted: Array,
    crossed_logits: Callable[[Array], Array],
    cut: Cut,
) -> tuple[Array, dict[str, Mean]]:
    """The leakage term of each image's pathway, [b], 0 beside an image of the same class; and metrics.

    Args:
        options: Weight and aim.
        clean: The images' logits [b, K].
        predicted: Their classes [b].
        crossed_logits: Places [b] of other images -> the logits of those under these images' pathways.
        cut: Of these images.
    """
    other = neighbours(clean.shape[0])
    foreign = (predicted[other] != predicted).astype(jnp.float32)
    crossed = crossed_logits(other)
    leak = options.aim.leakage_loss(clean[other], crossed, predicted)
    loss = options.leakage_weight * foreign * leak
    metrics = {"leakage_loss": Mean.of(leak, foreign)}
    taken = (crossed.argmax(axis=-1) == predicted).astype(jnp.float32)
    return loss, {**metrics, "leakage": Mean.of(taken, foreign * cut.shown)}


def _density_by_site(gates: Mapping[str, Array], shown: Array) -> dict[str, Mean]:
    """A site that is open or closed for every image has collapsed: this is where one sees it."""
    return {
        f"density/{name}": Mean.of(mask.reshape(mask.shape[0], -1).mean(axis=1), shown)
        for name, mask in gates.items()
    }
