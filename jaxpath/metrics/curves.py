"""Metrics against density, and insertion and deletion of neurons in the order of their scores."""

from collections.abc import Sequence
from typing import Any

from jax.sharding import Mesh

from jaxpath.metrics.evaluation import evaluate_records, explain_at_densities, explain_once
from jaxpath.metrics.records import Batches, Fills, InsertionDeletion, MakeExplainer
from jaxpath.types import Params, Target

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
    _, curves = explain_once(
        target,
        params,
        make_explainer,
        explainer_params,
        batches,
        fractions=fractions,
        mesh=mesh,
        seed=seed,
        fills=fills,
    )
    assert curves is not None
    return curves
