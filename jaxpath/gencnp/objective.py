"""What the generator is trained for: the masked target's prediction, a sparse mask, an honest mask.

The terms are our reading of arXiv 2309.09887 (knowledge distillation with a sparsity constraint); what can be
asked of a pathway is in :mod:`jaxpath.gencnp.aims`.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Literal, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from jaxpath import losses
from jaxpath.blanks import drawn_blanks
from jaxpath.fills import ABLATIONS, Ablation
from jaxpath.gating import fill_closed
from jaxpath.gencnp.aims import Aim, Faithfulness, Sparsity, require
from jaxpath.gencnp.daq import daq, straight_through
from jaxpath.gencnp.encounters import drawn_fills, kin
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
        blank_weight: Weight of -log(1 - p(x''; m)_k) of a blank picture x'' under the pathway, of one kind of
            :data:`jaxpath.blanks.BLANKS` that each image draws.
        kin_weight: Weight of -log p(x+; m)_k of another image of the class, where the batch has one near.
        ablations: What closed neurons hold; of several, each image draws one in every step.

    Raises:
        InputError: A weight is below 0, or there is no such quantizer.
    """

    aim: Aim = dataclasses.field(default_factory=Faithfulness)
    class_weight: float = 1.0
    leakage_weight: float = 0.0
    rematerialize: bool = False
    quantizer: Literal["daq", "straight_through"] = "daq"
    blank_weight: float = 0.0
    kin_weight: float = 0.0
    ablations: tuple[Ablation, ...] = ("zero",)

    def __post_init__(self) -> None:
        for name in ("class_weight", "leakage_weight", "blank_weight", "kin_weight"):
            require(getattr(self, name) >= 0, name, getattr(self, name), "0 or more")
        if not self.ablations or not set(self.ablations) <= set(ABLATIONS):
            raise InputError(
                f"the ablations are {', '.join(self.ablations) or 'none'}; choose some of "
                f"{', '.join(ABLATIONS)}"
            )
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
            - blank_weight * log(1 - p(x''; m)_k) - kin_weight * log p(x+; m)_k

    with s the share of the decision, x'' a blank picture and x+ another image of the class; and with a
    budget, where d is given and only the class has to stay, with the same last two terms:

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
            clean, reading = lax.stop_gradient(read(target, frozen, images, slopes=generator.taylor))
        predicted = clean.logits.argmax(axis=-1)
        with jax.named_scope("generate"):
            output = generate(generator, params, reading)
        logits = flatten(output.logits, target.sites)  # [b, N]
        cut = aim.cut(logits, keys, extra)
        masks = quantize(jax.nn.sigmoid(logits - cut.thresholds[:, None]))
        by_site = unflatten(masks, target.sites, like=output.logits)
        gates = fill_closed(by_site, _drawn_fills(options, clean.features, predicted, keys))

        def logits_of(pictures: Array) -> Array:
            with jax.named_scope("gated"):
                return apply(frozen, pictures, gates).logits

        masked = logits_of(images)

        prediction_loss, divergence = aim.prediction_losses(clean.logits, masked, predicted)
        class_loss = losses.kl_divergence(clean.logits, output.class_logits)
        density = masks.mean(axis=1)
        loss = prediction_loss + extra.weight * cut.shown * density + options.class_weight * class_loss
        kl = Mean.of(divergence, cut.shown)
        metrics: dict[str, Array | Mean] = {
            "kl": kl,
            "kl_random_density": Mean.of(divergence, 1 - cut.shown),
            "kl_class_head": Mean.of(class_loss),
            "density": Mean.of(density, cut.shown),
            "fidelity": Mean.of((masked.argmax(axis=-1) == predicted).astype(jnp.float32), cut.shown),
            "sparsity_weight": extra.weight,
            **_density_by_site(by_site, cut.shown),
        }
        seen = _Seen(images, clean.logits, predicted, keys)
        for name, (met_loss, met) in _encounters(options, target, seen, logits_of).items():
            loss = loss + met_loss
            metrics |= {name: Mean.of(met.taken, met.exists * cut.shown), **met.more}
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


def _drawn_fills(
    options: ObjectiveOptions, features: Mapping[str, Array], classes: Array, keys: Array
) -> Mapping[str, Array] | None:
    """What closed neurons hold in this step."""
    if options.ablations == ("zero",):
        return None
    places = neighbours(len(classes)) if "interchange" in options.ablations else jnp.arange(len(classes))
    other = places, (classes[places] != classes).astype(jnp.float32)
    return drawn_fills(options.ablations, features, other, _derived(keys, 1))


def _derived(keys: Array, number: int) -> Array:
    """Other keys for another purpose, [b]."""
    return jax.vmap(lambda key: jax.random.fold_in(key, number))(keys)


class _Seen(NamedTuple):
    """A batch as the whole network sees it."""

    images: Array
    logits: Array
    classes: Array
    keys: Array


class _Met(NamedTuple):
    """Other pictures under the pathways: whether they are taken for the class, [b], and where they exist."""

    taken: Array
    exists: Array | float
    more: Mapping[str, Mean]


def _encounters(
    options: ObjectiveOptions, target: Target, seen: _Seen, logits_of: Callable[[Array], Array]
) -> dict[str, tuple[Array, _Met]]:
    """The loss of each image's pathway on other pictures, [b], and what they become; by the metric's name.

    Args:
        options: Weights and aim.
        target: The classifier.
        seen: The images.
        logits_of: Pictures -> their logits under the images' pathways.
    """
    met = {}
    images, classes = seen.images, seen.classes

    def taken(logits: Array) -> Array:
        return (logits.argmax(axis=-1) == classes).astype(jnp.float32)

    if options.leakage_weight > 0:
        other = neighbours(images.shape[0])
        foreign = (classes[other] != classes).astype(jnp.float32)
        logits = logits_of(images[other])
        leak = options.aim.leakage_loss(seen.logits[other], logits, classes)
        more = {"leakage_loss": Mean.of(leak, foreign)}
        met["leakage"] = options.leakage_weight * foreign * leak, _Met(taken(logits), foreign, more)
    if options.blank_weight > 0:
        logits = logits_of(drawn_blanks(images, _derived(seen.keys, 2), target.preprocessing))
        loss = options.blank_weight * losses.rejection(logits, classes)
        met["blank_acceptance"] = loss, _Met(taken(logits), 1.0, {})
    if options.kin_weight > 0:
        places, exists = kin(classes)
        logits = logits_of(images[places])
        loss = options.kin_weight * exists * losses.cross_entropy(logits, classes)
        met["same_class_acceptance"] = loss, _Met(taken(logits), exists, {})
    return met


def _density_by_site(gates: Mapping[str, Array], shown: Array) -> dict[str, Mean]:
    """A site that is open or closed for every image has collapsed: this is where one sees it."""
    return {
        f"density/{name}": Mean.of(mask.reshape(mask.shape[0], -1).mean(axis=1), shown)
        for name, mask in gates.items()
    }
