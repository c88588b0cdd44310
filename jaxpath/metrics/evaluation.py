"""Evaluates an explainer on a data set: per-image results on the host, then exact metrics of them."""

import functools
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.sharding import Mesh

from jaxpath.metrics.faithfulness import agreement, confidences, mean_drop, mean_increase
from jaxpath.metrics.leakage import foreign_partners
from jaxpath.metrics.similarity import class_similarity, random_aciou
from jaxpath.pathways import flatten, unflatten
from jaxpath.training.evaluate import collect
from jaxpath.training.sharding import replicate
from jaxpath.training.step import EvalStep, make_eval_step
from jaxpath.types import Explainer, Params, Target

Batches = Callable[[], Iterable[Mapping[str, np.ndarray]]]
"""Starts one pass over the data set, always in the same order."""


class Records(NamedTuple):
    """What an explainer found for every image of a data set, in its order; on the host.

    Attributes:
        indices: [N_images] int, place in the data set: not all are there if some could not be read.
        labels: [N_images] int.
        predicted: [N_images] int, class of the clean prediction.
        masked_predicted: [N_images] int, class of the prediction under the pathway.
        clean_confidence: [N_images], probability of the predicted class.
        masked_confidence: [N_images], the same under the pathway.
        dead_share: [N_images], share of open gates whose activation is 0 all over the image.
        masks: [N_images, N], bool, channels in forward order; at unit granularity a channel is open
            if any of its units is.
        unit_density: [N_images], fraction of open units; the fraction of open channels otherwise.
    """

    indices: np.ndarray
    labels: np.ndarray
    predicted: np.ndarray
    masked_predicted: np.ndarray
    clean_confidence: np.ndarray
    masked_confidence: np.ndarray
    dead_share: np.ndarray
    masks: np.ndarray
    unit_density: np.ndarray


def explain_all(
    target: Target,
    params: Params,
    make_explainer: Callable[[Any], Explainer],
    explainer_params: Any,
    batches: Batches,
    *,
    mesh: Mesh,
    seed: int = 0,
) -> Records:
    """Explains every image's predicted class and runs it under its pathway.

    Args:
        target: The classifier.
        params: Its parameters.
        make_explainer: ``explainer_params -> Explainer``, called while the step is traced: trained
            parameters are an argument of the program, never part of it.
        explainer_params: Of a trained explainer; ``{}`` if it has none.
        batches: The data set.
        mesh: The devices.
        seed: Of explainers that draw at random.
    """

    def evaluate(explainer_params: Any, params: Params, batch: Mapping[str, Array]) -> dict[str, Array]:
        images = batch["image"]
        clean = target.apply(params, images)
        explain = make_explainer(explainer_params)
        masks = explain(params, images, clean.logits.argmax(axis=-1), key=jax.random.key(seed)).masks
        masked = target.apply(params, images, masks)
        channels = _over_space(masks)
        alive = flatten({name: f > 0 for name, f in _over_space(clean.features).items()}, target.sites)
        opened = flatten(channels, target.sites) > 0
        dead = (opened & ~alive).sum(axis=1) / jnp.maximum(opened.sum(axis=1), 1)
        return {
            "indices": batch["index"],
            "labels": batch["label"],
            **confidences(clean.logits, masked.logits),
            "dead_share": dead,
            "masks": opened,
            "unit_density": flatten(masks, target.sites).astype(jnp.float32).mean(axis=1),
        }

    step = make_eval_step(evaluate, mesh)
    explainer_params, params = replicate((explainer_params, params), mesh)
    return Records(**collect(step, batches(), explainer_params, params, mesh=mesh))


def masked_predictions(
    target: Target,
    params: Params,
    records: Records,
    batches: Batches,
    *,
    table: np.ndarray,
    rows: np.ndarray,
    mesh: Mesh,
) -> dict[str, np.ndarray]:
    """Runs the i-th image of ``records`` under the channel mask ``table[rows[i]]``.

    One mechanism for everything that puts one image's or one class's pathway on another image.

    Args:
        target: The classifier.
        params: Its parameters.
        records: The explained images.
        batches: Their data set.
        table: Masks [M, N].
        rows: [N_images], which mask each image gets.
        mesh: The devices.

    Returns:
        The arrays of :func:`~jaxpath.metrics.faithfulness.confidences`, one entry per image.
    """
    # One more row for padding, whose index is -1, and for what could not be read: nobody looks at it.
    row_of = np.zeros(records.indices.max() + 2, np.int64)
    row_of[records.indices] = rows

    def with_masks() -> Iterable[Mapping[str, np.ndarray]]:
        for batch in batches():
            yield {**batch, "mask": table[row_of[batch["index"]]].astype(np.float32)}

    return collect(_masked_step(target, mesh), with_masks(), {}, replicate(params, mesh), mesh=mesh)


@functools.lru_cache(maxsize=8)
def _masked_step(target: Target, mesh: Mesh) -> EvalStep:
    """The compiled step of :func:`masked_predictions`, kept because many tables use it."""

    def evaluate(_: Any, params: Params, batch: Mapping[str, Array]) -> dict[str, Array]:
        clean = target.apply(params, batch["image"])
        masked = target.apply(params, batch["image"], unflatten(batch["mask"], target.sites))
        return confidences(clean.logits, masked.logits)

    return make_eval_step(evaluate, mesh)


def evaluate_records(
    target: Target, params: Params, records: Records, batches: Batches, *, mesh: Mesh, seed: int = 0
) -> dict[str, Any]:
    """Every metric of an explainer on a data set; leakage needs one more pass over it.

    Returns:
        ``target_accuracy, fidelity, accuracy, mdc, mic, density, density_std, unit_density, dead_share,
        aciou, between_iou, iou_gap, random_aciou, leakage, retention``. Leakage is how often an image
        under the pathway of an image of another class is predicted as that class; without any mask it
        never is. Retention is how often it keeps its own. And ``density_per_site`` by site name, and
        ``collapsed_sites``: those with the same gate, 0 or 1, at every channel of every image.
    """
    density = records.masks.mean(axis=1)
    per_site = {name: float(mask.mean()) for name, mask in unflatten(records.masks, target.sites).items()}
    similarity = class_similarity(records.masks, records.predicted, target.num_classes)
    partners = foreign_partners(records.predicted, seed=seed)
    crossed = masked_predictions(
        target, params, records, batches, table=records.masks, rows=partners, mesh=mesh
    )
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
        "leakage": agreement(crossed["masked_predicted"], records.predicted[partners]),
        "retention": agreement(crossed["masked_predicted"], records.predicted),
        "density_per_site": per_site,
        "collapsed_sites": [name for name, value in per_site.items() if value in (0.0, 1.0)],
    }


def _over_space(values: Mapping[str, Array]) -> dict[str, Array]:
    """Largest value of each channel: [B, H, W, C] -> [B, C]."""
    return {name: v.max(axis=(1, 2)) if v.ndim == 4 else v for name, v in values.items()}
