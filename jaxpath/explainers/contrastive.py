"""Pathways that are searched against what would refute them: other pictures, and other fills."""

from collections.abc import Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import Array, lax

from jaxpath import losses
from jaxpath.blanks import BLANKS, as_floats, blank_pictures
from jaxpath.explainers.scoring import Gated, Granularity, make_cut
from jaxpath.fills import ABLATIONS, Ablation, References, blend, foreign_rows, take
from jaxpath.gating import fill_closed
from jaxpath.pathways import threshold_for, top_fraction
from jaxpath.types import Explainer, InputError, Params, Target

_State = tuple[Array, optax.OptState]
"""Scores, and state of the optimizer."""

_LEARNING_RATE = 0.1
"""At the start; it falls to 0 along a cosine, so that the last steps weigh all fills and pictures alike."""

_SPREAD = 0.1
"""Standard deviation of the first scores."""

_FALLING = 0.5
"""Share of the steps in which the density falls to the one that is asked for."""

_BLANK_EVERY = 4
"""Rounds of fills, of which the last one has blank pictures."""

_GOLDEN = 0.6180339887498949
"""Multiples of it, without their whole part, fill [0, 1] evenly: strengths of interchanges, step by step."""


class Trial(NamedTuple):
    """What all masks meet in one step.

    Attributes:
        step: int, counted from 0; chooses references.
        round: int, how often all fills have been met; chooses pictures.
        density: Share of the neurons that are open.
        usual: 1 if closed neurons start from their mean, 0 if from 0.
        strength: How far they go from there to the activation of a picture of another class.
    """

    step: Array
    round: Array
    density: Array
    usual: Array
    strength: Array


def make_contrastive(
    target: Target,
    *,
    density: float,
    granularity: Granularity = "channel",
    references: References | None = None,
    ablations: Sequence[Ablation] = ABLATIONS,
    steps: int = 300,
    refusal: float = 1.0,
) -> Explainer:
    """Searches each image's mask against pictures that are not of its class, under every fill.

    Per image x of class c with the mask m, in every step

        -log p(x; m, f)_c - refusal log(1 - p(x'; m, f)_c)

    is lowered by Adam on one score per neuron, from the signed Taylor score. The mask opens the best-scored
    neurons, at a density that falls geometrically from 1 to ``density`` in the first half of the steps;
    gradients go straight through to the sigmoid of the score's distance from the cut. Fills f follow each
    other in turn, an interchange with strengths spread evenly over [0, 1]. The other picture x' is one of
    another class, in every fourth round of fills a blank one. It is our choice throughout: the sparsest such
    mask of one picture is the bound of a generator that has to find it at once.

    Args:
        target: The classifier.
        density: Fraction of neurons to open.
        granularity: One gate per channel or per unit.
        references: Pictures of other classes and mean activations. None: other pictures are blank ones, and
            closed neurons are 0. To an image whose class all of them have, blank ones are the others.
        ablations: Fills that the mask meets.
        steps: Of the search; each costs two masked forward and backward passes.
        refusal: Weight of the other pictures.

    Raises:
        InputError: The options are out of their range, or there is no such ablation.
    """
    if steps < 1 or refusal < 0 or not ablations or set(ablations) - set(ABLATIONS):
        raise InputError(
            f"the search was given {steps} steps, refusal {refusal} and the ablations {list(ablations)}; "
            f"expected one step or more, 0 or more, and some of {', '.join(ABLATIONS)}"
        )
    fills = tuple(ablations) if references is not None else ("zero",)

    def scores(params: Params, images: Array, labels: Array, *, key: Array) -> Array:
        del key
        gated = Gated(target, params, as_floats(images, target.preprocessing), granularity)
        search = _Search(gated, labels, references, refusal)
        start = gated.gradient(gated.open(), labels)
        spread = jnp.std(start, axis=1, keepdims=True) + np.finfo(np.float32).tiny
        return search.run(_SPREAD * start / spread, schedule(steps, density, fills))

    return make_cut(target, scores, density=density, granularity=granularity)


def schedule(steps: int, density: float, ablations: Sequence[Ablation]) -> Trial:
    """The trials of all steps, arrays [steps].

    >>> trials = schedule(4, 0.25, ("zero", "mean", "interchange"))
    >>> trials.density.tolist(), trials.usual.tolist()
    ([0.5, 0.25, 0.25, 0.25], [0.0, 1.0, 1.0, 0.0])
    """
    step = jnp.arange(steps)
    falling = jnp.minimum((step + 1) / max(1.0, _FALLING * steps), 1.0)
    kind = step % len(ablations)
    usual = jnp.array([name != "zero" for name in ablations], jnp.float32)[kind]
    interchanged = jnp.array([name == "interchange" for name in ablations], jnp.float32)[kind]
    rounds = step // len(ablations)
    strength = interchanged * ((rounds + 1) * _GOLDEN % 1)
    return Trial(step, rounds, jnp.maximum(density, 1e-6) ** falling, usual, strength)


def straight_through(scores: Array, density: Array) -> Array:
    """Masks [B, N] of the best scores, exactly, with the gradient of a sigmoid around the cut."""
    cut = threshold_for(scores, jnp.broadcast_to(density, scores.shape[:1]))
    soft = jax.nn.sigmoid(scores - cut[:, None])
    return lax.stop_gradient(top_fraction(scores, density) - soft) + soft


class _Search:
    """The search of a batch; what one image meets does not depend on the others."""

    def __init__(self, gated: Gated, labels: Array, references: References | None, refusal: float):
        self._gated, self._labels = gated, labels
        self._references, self._refusal = references, refusal
        # Alike for every image but for the shuffled pixels, which are its own.
        places = jnp.zeros_like(labels)
        self._blanks = blank_pictures(gated.images, places, gated.target.preprocessing, seed=0)
        if references is not None:
            # Images to which no reference is of another class.
            self._alone = (jnp.asarray(references.classes)[None] == labels[:, None]).all(axis=1)

    def run(self, scores: Array, trials: Trial) -> Array:
        """The scores [B, N] after all trials."""
        optimizer = optax.adam(optax.cosine_decay_schedule(_LEARNING_RATE, len(trials.step)))

        def step(carry: _State, trial: Trial) -> tuple[_State, None]:
            scores, moments = carry
            gradient = jax.grad(self._loss)(scores, trial)
            updates, moments = optimizer.update(gradient, moments)
            return (scores + updates, moments), None

        (scores, _), _ = lax.scan(step, (scores, optimizer.init(scores)), trials)
        return scores

    def _loss(self, scores: Array, trial: Trial) -> Array:
        """A sum over the images: Adam works on each score alone, so that images do not mix."""
        masks = self._gated.by_site(straight_through(scores, trial.density))
        gates = fill_closed(masks, self._fill(trial))

        def logits(pictures: Array) -> Array:
            return self._gated.target.apply(self._gated.params, pictures, gates).logits

        own = losses.cross_entropy(logits(self._gated.images), self._labels)
        refused = losses.rejection(logits(self._other_pictures(trial.round)), self._labels)
        return (own + self._refusal * refused).sum()

    def _fill(self, trial: Trial) -> dict[str, Array] | None:
        if self._references is None:
            return None
        rows = self._foreign(trial.step)
        means = {name: trial.usual * value for name, value in self._references.means.items()}
        strength = jnp.where(self._alone, 0.0, trial.strength)
        return blend(means, take(self._references.features, rows), strength)

    def _other_pictures(self, number: Array) -> Array:
        """For each image one that is not of its class, [B, H, W, C]: a reference, or a blank picture."""
        if self._references is None:
            return self._blanks[number % len(BLANKS)]
        blank = self._blanks[number // _BLANK_EVERY % len(BLANKS)]
        rows = self._foreign(number)
        images = as_floats(jnp.asarray(self._references.images)[rows], self._gated.target.preprocessing)
        shown = self._alone | (number % _BLANK_EVERY == _BLANK_EVERY - 1)
        return jnp.where(shown[:, None, None, None], blank, images.astype(blank.dtype))

    def _foreign(self, number: Array) -> Array:
        assert self._references is not None
        places = jnp.broadcast_to(number, self._labels.shape)
        return foreign_rows(jnp.asarray(self._references.classes), self._labels, places)
