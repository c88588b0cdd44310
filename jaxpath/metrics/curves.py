"""Metrics against density, and insertion and deletion of neurons in the order of their scores."""

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.sharding import Mesh

from jaxpath.gating import fill_closed
from jaxpath.metrics.evaluation import evaluate_records, explain_at_densities, explain_batch
from jaxpath.metrics.faithfulness import probability
from jaxpath.metrics.records import Batches, Fills, MakeExplainer
from jaxpath.pathways import flatten, open_first, ranks, unflatten
from jaxpath.training.evaluate import collect
from jaxpath.training.sharding import replicate
from jaxpath.training.step import make_eval_step
from jaxpath.types import InputError, Params, Target

DENSITIES = (0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 0.9)

FRACTIONS = tuple(step / 20 for step in range(21))

CURVES = ("fidelity", "accuracy", "mdc", "mic", "leakage", "retention", "aciou", "between_iou")
"""Metrics of a row of :func:`density_curve`, beside ``density``."""


def density_curve(
    target: Target,
    params: Params,
    make_explainer: MakeExplainer,
    explainer_params: Any,
    batches: Batches,
    *,
    densities: Sequence[float] = DENSITIES,
    mesh: Mesh,
    seed: int = 0,
    fills: Fills | None = None,
) -> list[dict[str, float]]:
    """Every method at the same densities: its scores, cut exactly.

    Each image is explained once and run under all of its masks while its scores are on the device;
    leakage takes one more pass per density, with one compiled program for all.

    Args:
        target: The classifier.
        params: Its parameters.
        make_explainer: ``explainer_params -> Explainer``.
        explainer_params: Of a trained explainer; ``{}`` if it has none.
        batches: The data set.
        densities: Fractions of neurons (units, at unit granularity) to open.
        mesh: The devices.
        seed: Of explainers that draw at random, and of the choice of images of other classes.
        fills: Values of closed neurons; None: 0.

    Returns:
        One row per density: ``density``, as requested, and :data:`CURVES`, see
        :func:`~jaxpath.metrics.evaluation.evaluate_records`.
    """
    found = explain_at_densities(
        target,
        params,
        make_explainer,
        explainer_params,
        batches,
        densities=densities,
        mesh=mesh,
        seed=seed,
        fills=fills,
    )
    rows = []
    for density, records in zip(densities, found, strict=True):
        metrics = evaluate_records(target, params, records, batches, mesh=mesh, seed=seed, fills=fills)
        rows.append({"density": float(density), **{name: metrics[name] for name in CURVES}})
    return rows


class InsertionDeletion(NamedTuple):
    """Probability of each image's predicted class while neurons are opened or closed.

    Attributes:
        fractions: [F], rising.
        insertion: [N_images, F], with the best-scored fraction of the neurons open, the rest closed.
        deletion: [N_images, F], with the best-scored fraction closed, the rest open.
    """

    fractions: np.ndarray
    insertion: np.ndarray
    deletion: np.ndarray

    @property
    def insertion_area(self) -> np.ndarray:
        """Mean height of each image's insertion curve, [N_images]; high is good."""
        return self._area(self.insertion)

    @property
    def deletion_area(self) -> np.ndarray:
        """Mean height of each image's deletion curve, [N_images]; low is good."""
        return self._area(self.deletion)

    def _area(self, curves: np.ndarray) -> np.ndarray:
        """By the trapezoidal rule, over the range of the fractions."""
        return np.trapezoid(curves, self.fractions, axis=1) / (self.fractions[-1] - self.fractions[0])


def insertion_deletion(
    target: Target,
    params: Params,
    make_explainer: MakeExplainer,
    explainer_params: Any,
    batches: Batches,
    *,
    fractions: Sequence[float] = FRACTIONS,
    mesh: Mesh,
    seed: int = 0,
    fills: Fills | None = None,
) -> InsertionDeletion:
    """Opens and closes neurons in the order of their scores, over all sites at once.

    The neurons' version of the pixels' test of Petsiuk et al. 2018 (RISE, section 3.3). The other
    arguments are those of :func:`density_curve`.

    Args:
        fractions: Shares of the neurons, rising from 0 or more to 1 or less.

    Raises:
        InputError: The fractions are fewer than two, do not rise, or leave [0, 1].
    """
    steps = np.asarray(fractions, np.float32)
    if steps.size < 2 or steps[0] < 0 or steps[-1] > 1 or not (np.diff(steps) > 0).all():
        raise InputError(f"the fractions are {list(fractions)}; give at least two, rising, from 0 to 1")

    def evaluate(explainer_params: Any, frozen: Any, batch: Mapping[str, Array]) -> dict[str, Array]:
        params, fills, steps = frozen
        clean, pathway = explain_batch(target, params, make_explainer(explainer_params), batch, seed=seed)
        predicted = clean.logits.argmax(axis=-1)
        order = ranks(flatten(pathway.scores, target.sites))

        def confidence(masks: Array) -> Array:
            gates = fill_closed(unflatten(masks, target.sites, like=pathway.scores), fills)
            return probability(target.apply(params, batch["image"], gates).logits, predicted)

        def both(step: Array) -> tuple[Array, Array]:
            opened = open_first(order, step)
            return confidence(opened), confidence(1 - opened)

        inserted, deleted = lax.map(both, steps)
        return {"insertion": jnp.transpose(inserted), "deletion": jnp.transpose(deleted)}

    step = make_eval_step(evaluate, mesh)
    explainer_params, frozen = replicate((explainer_params, (params, fills, steps)), mesh)
    return InsertionDeletion(steps, **collect(step, batches(), explainer_params, frozen, mesh=mesh))
