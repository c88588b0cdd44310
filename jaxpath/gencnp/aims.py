"""The three things that one can ask of a pathway, and what each of them makes of the objective.

The dual variable, the random densities, the leakage term and the budget are our own choice.
"""

import dataclasses
from typing import NamedTuple

import jax
import jax.numpy as jnp
from jax import Array, lax

from jaxpath import losses
from jaxpath.devices.mesh import AXIS
from jaxpath.pathways import threshold_for
from jaxpath.types import InputError, Mean

_WEIGHT_RANGE = (0.05, 50.0)
"""The dual variable stays in this range: it must be able to come back from either end."""

LEANEST = 0.8
"""With a budget, the sparsest cut as a share of it: each image may need less than the budget, our choice."""


class Sparsity(NamedTuple):
    """State carried from step to step, float32 scalars.

    Attributes:
        weight: The current price of openness.
        budget: The largest density at which masks are cut in this step.
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


@dataclasses.dataclass(frozen=True, kw_only=True)
class Priced:
    """What :class:`Faithfulness` and :class:`FixedWeight` share: distillation, and a price of openness.

    The whole prediction has to stay, T^2 KL(H(x) || H(x; m)), or a share of that is replaced by the class
    having to stay, -log p(x; m)_k. A pathway must not add evidence for its class to an image of another one,
    max(0, log p(x'; m)_k - log p(x')_k).

    Attributes:
        temperature: T of the distillation.
        decision_share: Weight of -log p(x; m)_k; that of the distillation is 1 minus it. A sparse pathway
            cannot keep how a thousand classes are ordered, and an image whose first two are close loses its
            class for the sake of the others.
        random_density_share: Share of the images whose mask is cut at a random density instead of at score
            0.5: the scores then rank well at every density, not at one.
        min_density: Smallest random density; half of them are uniform up to 1, half log-uniform, since the
            sparse end is where the order matters most.

    Raises:
        InputError: A value is out of its range.
    """

    temperature: float = 1.0
    decision_share: float = 0.0
    random_density_share: float = 0.5
    min_density: float = 0.02

    def __post_init__(self) -> None:
        require(self.temperature > 0, "temperature", self.temperature, "above 0")
        decision = self.decision_share
        require(0 <= decision <= 1, "decision_share", decision, "a weight from 0 to 1")
        share = self.random_density_share
        require(0 <= share <= 1, "random_density_share", share, "a share of the images from 0 to 1")
        require(0 < self.min_density <= 1, "min_density", self.min_density, "a density above 0, at most 1")

    @property
    def cuts(self) -> tuple[float, ...]:
        """No densities to try: an explainer keeps the neurons above score 0.5."""
        return ()

    def cut(self, logits: Array, keys: Array, state: Sparsity) -> Cut:
        """Cuts some images of [b, N] at score 0.5, which has a price, the others at a random density."""
        del state

        def draw(key: Array) -> tuple[Array, Array]:
            share, scale, place = jax.random.uniform(key, (3,))
            uniform = self.min_density + place * (1 - self.min_density)
            log_uniform = self.min_density ** (1 - place)
            natural = share >= self.random_density_share
            return natural.astype(jnp.float32), jnp.where(scale < 0.5, uniform, log_uniform)

        natural, density = jax.vmap(draw)(keys)
        return Cut(jnp.where(natural > 0, 0.0, threshold_for(logits, density)), natural)

    def prediction_losses(self, clean: Array, masked: Array, classes: Array) -> tuple[Array, Array]:
        """What the masked prediction costs, and KL(clean || masked): logits [b, K] -> [b] and [b]."""
        divergence = losses.kl_divergence(clean, masked, temperature=self.temperature)
        if self.decision_share == 0:
            return divergence, divergence
        decision = losses.cross_entropy(masked, classes)
        return divergence + self.decision_share * (decision - divergence), divergence

    def leakage_loss(self, clean: Array, crossed: Array, classes: Array) -> Array:
        """Evidence that pathways create for their ``classes`` in other images, [b].

        Args:
            clean: Logits of the other images [b, K].
            crossed: The same under the pathways.
            classes: [b], whose pathways they are.
        """
        return losses.evidence_gain(clean, crossed, classes)


@dataclasses.dataclass(frozen=True)
class Faithfulness(Priced):
    """The sparsest pathway that costs at most ``nats``; the price is the dual variable of that constraint.

    Further attributes are those of :class:`Priced`, by keyword.

    Attributes:
        nats: KL(clean || masked) that the pathway may cost on average.
        initial_weight: The dual variable at the start: price of a fully open network, in nats.
        dual_rate: Largest relative change of the dual variable in one step.

    Raises:
        InputError: A value is out of its range.
    """

    nats: float = 0.03
    initial_weight: float = 1.0
    dual_rate: float = 0.05

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.nats > 0, "faithfulness", self.nats, "nats above 0")
        require(self.initial_weight >= 0, "the sparsity weight", self.initial_weight, "nats, 0 or more")
        require(self.dual_rate >= 0, "dual_rate", self.dual_rate, "0 or more")

    def first_state(self) -> Sparsity:
        """The state before the first step."""
        return Sparsity(jnp.float32(self.initial_weight), jnp.float32(1.0))

    def next_state(self, state: Sparsity, kl: Mean) -> Sparsity:
        """One step of the dual variable, by what the masks of this device's images cost."""
        total, count = lax.psum((lax.stop_gradient(kl.total), kl.count), AXIS)
        # Relative slack of the constraint; a batch without a natural mask says nothing.
        slack = jnp.where(count > 0, 1 - total / jnp.maximum(count, 1) / self.nats, 0.0)
        weight = state.weight * jnp.exp(self.dual_rate * jnp.clip(slack, -1, 1))
        return state._replace(weight=jnp.clip(weight, *_WEIGHT_RANGE))


@dataclasses.dataclass(frozen=True)
class FixedWeight(Priced):
    """A fixed price of openness; how faithful pathways are comes out as it may.

    Further attributes are those of :class:`Priced`, by keyword.

    Attributes:
        weight: Price of a fully open network, in nats.
        warmup_steps: Steps over which it rises from 0.

    Raises:
        InputError: A value is out of its range.
    """

    weight: float = 1.0
    warmup_steps: int = 200

    def __post_init__(self) -> None:
        super().__post_init__()
        require(self.weight >= 0, "the sparsity weight", self.weight, "nats, 0 or more")
        require(self.warmup_steps >= 0, "warmup_steps", self.warmup_steps, "0 or more")

    def first_state(self) -> Sparsity:
        """The state before the first step."""
        return Sparsity(jnp.float32(0.0), jnp.float32(1.0))

    def next_state(self, state: Sparsity, kl: Mean) -> Sparsity:
        """One step of the warm-up."""
        del kl
        step = self.weight / max(self.warmup_steps, 1)
        return state._replace(weight=jnp.minimum(state.weight + step, self.weight))


@dataclasses.dataclass(frozen=True)
class Budget:
    """The pathway within a share of the neurons that keeps the class and is least permissive.

    Every mask is cut at a density a little below the budget. The class has to stay, -log p(x; m)_k, and must
    not be what an image of another class becomes, -log(1 - p(x'; m)_k).

    Attributes:
        share: Share of the neurons that a pathway may keep.
        steps: Steps over which the budget falls from 1.

    Raises:
        InputError: A value is out of its range.
    """

    share: float
    steps: int = 600

    def __post_init__(self) -> None:
        require(0 < self.share <= 1, "the budget", self.share, "a share of the neurons above 0, at most 1")
        require(self.steps >= 0, "the number of the budget's steps", self.steps, "0 or more")

    @property
    def cuts(self) -> tuple[float, ...]:
        """Densities at which an explainer tries the trained generator, ascending.

        >>> [round(cut, 3) for cut in Budget(0.5).cuts]
        [0.4, 0.42, 0.44, 0.46, 0.48, 0.5]
        """
        return tuple(self.share * (LEANEST + (1 - LEANEST) * step / 5) for step in range(6))

    def first_state(self) -> Sparsity:
        """The state before the first step; openness has no price."""
        return Sparsity(jnp.float32(0.0), jnp.float32(1.0))

    def next_state(self, state: Sparsity, kl: Mean) -> Sparsity:
        """One step of the budget's fall."""
        del kl
        step = (1 - self.share) / max(self.steps, 1)
        return state._replace(budget=jnp.maximum(state.budget - step, self.share))

    def cut(self, logits: Array, keys: Array, state: Sparsity) -> Cut:
        """Cuts every image of [b, N] at a density between ``LEANEST`` of this step's budget and all of it."""
        share = jax.vmap(lambda key: jax.random.uniform(key, minval=LEANEST, maxval=1.0))(keys)
        return Cut(threshold_for(logits, share * state.budget), jnp.ones_like(share))

    def prediction_losses(self, clean: Array, masked: Array, classes: Array) -> tuple[Array, Array]:
        """What the masked prediction costs, and KL(clean || masked): logits [b, K] -> [b] and [b]."""
        divergence = losses.kl_divergence(clean, masked)
        return losses.cross_entropy(masked, classes), divergence

    def leakage_loss(self, clean: Array, crossed: Array, classes: Array) -> Array:
        """How sure other images are of the pathways' ``classes``, [b]; see :meth:`Priced.leakage_loss`."""
        del clean
        return losses.rejection(crossed, classes)


Aim = Faithfulness | FixedWeight | Budget
"""What is asked of a pathway."""


def require(kept: bool, name: str, value: float, expected: str) -> None:
    """Raises an :class:`InputError` unless the rule for the option ``name`` is ``kept``."""
    if not kept:
        raise InputError(f"{name} is {value}; expected {expected}")
