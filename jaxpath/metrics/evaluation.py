"""Evaluates an explainer on a data set: per-image results on the host, then exact metrics of them."""

from collections.abc import Mapping, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.sharding import Mesh

from jaxpath.gating import fill_closed
from jaxpath.metrics.faithfulness import agreement, confidences, mean_drop, mean_increase, probability
from jaxpath.metrics.leakage import foreign_partners
from jaxpath.metrics.records import Batches, Fills, InsertionDeletion, MakeExplainer, Records
from jaxpath.metrics.similarity import class_similarity, random_aciou
from jaxpath.metrics.tables import masked_predictions, pack_units
from jaxpath.pathways import flatten, open_first, ranks, unflatten
from jaxpath.training.evaluate import collect
from jaxpath.training.sharding import replicate
from jaxpath.training.step import make_eval_step
from jaxpath.types import Explainer, InputError, Params, Pathway, Target, TargetOutput


def explain_all(
    target: Target,
    params: Params,
    make_explainer: MakeExplainer,
    explainer_params: Any,
    batches: Batches,
    *,
    mesh: Mesh,
    seed: int = 0,
    fills: Fills | None = None,
) -> Records:
    """Explains every image's predicted class and runs it under its pathway.

    Args:
        target: The classifier.
        params: Its parameters.
        make_explainer: See :data:`MakeExplainer`.
        explainer_params: Of a trained explainer; ``{}`` if it has none.
        batches: The data set.
        mesh: The devices.
        seed: Of explainers that draw at random.
        fills: Values of closed neurons; None: 0.
    """
    (records,), _ = explain_once(
        target, params, make_explainer, explainer_params, batches, mesh=mesh, seed=seed, fills=fills
    )
    return records


def explain_at_densities(
    target: Target,
    params: Params,
    make_explainer: MakeExplainer,
    explainer_params: Any,
    batches: Batches,
    *,
    densities: Sequence[float],
    mesh: Mesh,
    seed: int = 0,
    fills: Fills | None = None,
) -> list[Records]:
    """Cuts each image's scores at every density, in one pass: each image is explained once.

    The other arguments are those of :func:`explain_all`; the explainer's own masks are not used.

    Args:
        densities: Fractions of neurons to open, in [0, 1]; an argument of the compiled program.

    Returns:
        One :class:`Records` per density.

    Raises:
        InputError: A density lies outside [0, 1], or there is none.
    """
    records, _ = explain_once(
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
    return records


def explain_once(
    target: Target,
    params: Params,
    make_explainer: MakeExplainer,
    explainer_params: Any,
    batches: Batches,
    *,
    densities: Sequence[float] | None = None,
    fractions: Sequence[float] | None = None,
    mesh: Mesh,
    seed: int = 0,
    fills: Fills | None = None,
) -> tuple[list[Records], InsertionDeletion | None]:
    """What one explanation of each image can tell, in one pass: for explainers that take long.

    The other arguments are those of :func:`explain_all`.

    Args:
        densities: As in :func:`explain_at_densities`; None: the explainer's own masks.
        fractions: As in :func:`~jaxpath.metrics.curves.insertion_deletion`; None: no such curves.

    Returns:
        One :class:`Records` per density, or one of the own masks; and the curves, if asked for.

    Raises:
        InputError: A density lies outside [0, 1] or there is none; or the fractions are fewer than two,
            do not rise, or leave [0, 1].
    """
    wanted = None if densities is None else np.asarray(densities, np.float32)
    if wanted is not None and not (wanted.size and ((wanted >= 0) & (wanted <= 1)).all()):
        raise InputError(f"the densities are {list(densities or ())}; give at least one, each from 0 to 1")
    steps = None if fractions is None else _rising_fractions(fractions)

    def evaluate(explainer_params: Any, frozen: Any, batch: Mapping[str, Array]) -> dict[str, Array]:
        params, fills, wanted, steps = frozen
        clean, pathway = explain_batch(target, params, make_explainer(explainer_params), batch, seed=seed)
        predicted = clean.logits.argmax(axis=-1)

        def under(masks: dict[str, Array]) -> Array:
            return target.apply(params, batch["image"], fill_closed(masks, fills)).logits

        def judge(masks: dict[str, Array]) -> dict[str, Array]:
            return {
                **confidences(clean.logits, under(masks)),
                **describe_masks(target, masks, clean.features),
            }

        def cut(flat: Array) -> dict[str, Array]:
            return unflatten(flat, target.sites, like=pathway.scores)

        def insert_delete(step: Array) -> dict[str, Array]:
            best = open_first(order, step)
            return {
                "insertion": probability(under(cut(best)), predicted),
                "deletion": probability(under(cut(1 - best)), predicted),
            }

        order = ranks(flatten(pathway.scores, target.sites))
        # One after another: memory holds one masked forward, however many masks there are.
        if wanted is None:
            records = jax.tree.map(lambda values: values[None], judge(pathway.masks))
        else:
            records = lax.map(lambda density: judge(cut(open_first(order, density))), wanted)
        curves = {} if steps is None else lax.map(insert_delete, steps)
        records, curves = jax.tree.map(lambda values: jnp.moveaxis(values, 0, 1), (records, curves))
        return {"indices": batch["index"], "labels": batch["label"], **records, **curves}

    step = make_eval_step(evaluate, mesh)
    explainer_params, frozen = replicate((explainer_params, (params, fills, wanted, steps)), mesh)
    found = collect(step, batches(), explainer_params, frozen, mesh=mesh)
    curves = None
    if steps is not None:
        curves = InsertionDeletion(steps, found.pop("insertion"), found.pop("deletion"))
    shared = {name: found.pop(name) for name in ("indices", "labels")}
    count = 1 if wanted is None else len(wanted)
    records = [
        Records(**shared, **{name: v[:, place] for name, v in found.items()}) for place in range(count)
    ]
    return records, curves


def _rising_fractions(fractions: Sequence[float]) -> np.ndarray:
    """The shares of neurons of an insertion curve, float32 [F], checked."""
    steps = np.asarray(fractions, np.float32)
    if steps.size < 2 or steps[0] < 0 or steps[-1] > 1 or not (np.diff(steps) > 0).all():
        raise InputError(f"the fractions are {list(fractions)}; give at least two, rising, from 0 to 1")
    return steps


def explain_batch(
    target: Target,
    params: Params,
    explain: Explainer,
    batch: Mapping[str, Array],
    *,
    seed: int,
    labels: Array | None = None,
) -> tuple[TargetOutput, Pathway]:
    """One device's clean forward, and its images' pathways for ``labels`` (None: the predicted classes)."""
    clean = target.apply(params, batch["image"])
    # Every batch, and every device's part of it, draws its own numbers; padding has index -1.
    key = jax.random.fold_in(jax.random.key(seed), batch["index"].max() + 1)
    labels = clean.logits.argmax(axis=-1) if labels is None else labels
    return clean, explain(params, batch["image"], labels, key=key)


def describe_masks(
    target: Target, masks: dict[str, Array], features: Mapping[str, Array]
) -> dict[str, Array]:
    """What :class:`Records` says about a batch's masks: ``dead_share, masks, unit_density, unit_bits``.

    Args:
        target: The classifier.
        masks: By site.
        features: Its clean activations, by site.
    """
    flat = flatten(masks, target.sites) > 0
    units = flat.shape[1] > sum(site.channels for site in target.sites)
    activation = {
        name: feature if feature.shape == masks[name].shape else _over_space(feature)
        for name, feature in features.items()
    }
    alive = flatten(activation, target.sites) > 0
    opened = flatten({name: _over_space(mask) for name, mask in masks.items()}, target.sites) > 0
    return {
        "dead_share": (flat & ~alive).sum(axis=1) / jnp.maximum(flat.sum(axis=1), 1),
        "masks": opened,
        "unit_density": flat.astype(jnp.float32).mean(axis=1),
        "unit_bits": pack_units(flat if units else flat[:, :0]),
    }


def _over_space(values: Array) -> Array:
    """Largest value of each channel: [B, H, W, C] -> [B, C]."""
    return values.max(axis=(1, 2)) if values.ndim == 4 else values


def evaluate_records(
    target: Target,
    params: Params,
    records: Records,
    batches: Batches,
    *,
    mesh: Mesh,
    seed: int = 0,
    fills: Fills | None = None,
) -> dict[str, Any]:
    """Every metric of an explainer on a data set; leakage needs one more pass over it.

    Args:
        target: The classifier.
        params: Its parameters.
        records: From :func:`explain_all`, or one of :func:`explain_at_densities`.
        batches: Their data set.
        mesh: The devices.
        seed: Of the choice of images of other classes.
        fills: Values of closed neurons, those of ``records``.

    Returns:
        ``target_accuracy, fidelity, accuracy, mdc, mic, density, density_std, unit_density, dead_share,
        aciou, between_iou, iou_gap, random_aciou, leakage, retention``. Leakage is how often an image
        under the pathway of an image of another class is predicted as that class; without any mask it
        never is. Retention is how often it keeps its own. Both are NaN if all images are predicted as one
        class. And ``density_per_site`` by site name, and
        ``collapsed_sites``: those with the same gate, 0 or 1, at every channel of every image.
    """
    density = records.masks.mean(axis=1)
    per_site = {name: float(mask.mean()) for name, mask in unflatten(records.masks, target.sites).items()}
    similarity = class_similarity(records.masks, records.predicted, target.num_classes)
    leakage = retention = float("nan")
    if len(np.unique(records.predicted)) > 1:
        partners = foreign_partners(records.predicted, seed=seed)
        crossed = masked_predictions(
            target, params, records, batches, table=records.table, rows=partners, mesh=mesh, fills=fills
        )["masked_predicted"]
        leakage = agreement(crossed, records.predicted[partners])
        retention = agreement(crossed, records.predicted)
    return {
        "target_accuracy": agreement(records.predicted, records.labels),
        "fidelity": agreement(records.masked_predicted, records.predicted),
        "accuracy": agreement(records.masked_predicted, records.labels),
        "mdc": mean_drop(records.clean_confidence, records.masked_confidence),
        "mic": mean_increase(records.clean_confidence, records.masked_confidence),
        "density": float(density.mean()),
        "density_std": float(density.std()),
        "unit_density": float(records.unit_density.mean()),
        "dead_share": float(records.dead_share.mean()),
        "aciou": similarity.aciou,
        "between_iou": similarity.between_iou,
        "iou_gap": similarity.aciou - similarity.between_iou,
        "random_aciou": random_aciou(float(density.mean())),
        "leakage": leakage,
        "retention": retention,
        "density_per_site": per_site,
        "collapsed_sites": [name for name, value in per_site.items() if value in (0.0, 1.0)],
    }
