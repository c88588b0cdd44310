"""One classifier's pathways: scored, over its depth, between its classes, and at the pixels."""

from typing import Any, NamedTuple

import jax
import numpy as np

from jaxpath import metrics
from jaxpath.metrics import Records
from jaxpath.runs.architectures.models import Model, make_method
from jaxpath.runs.architectures.options import ArchitectureComparison
from jaxpath.runs.evaluation import evaluate_method, passes_over
from jaxpath.runs.results import write_pathways
from jaxpath.runs.run import say
from jaxpath.runs.saliency import saliency_maps
from jaxpath.runs.study import Study, open_session


class Profile(NamedTuple):
    """What is known of one model.

    Attributes:
        name: The model's.
        figures: Metrics.
        records: The explained images.
        densities: Share of open channels over relative depth, [N_images, P].
        iou: Class-by-class overlaps of its pathways, [K, K].
        saliency: Maps by kind, [N_images, H, W].
        localised: Whether they point at the objects, by image with a box; None without boxes.
    """

    name: str
    figures: dict[str, Any]
    records: Records
    densities: np.ndarray
    iou: np.ndarray
    saliency: dict[str, np.ndarray]
    localised: dict[str, np.ndarray] | None = None


def profile_model(model: Model, study: Study, options: ArchitectureComparison) -> Profile:
    """Explains the held-out images by one model, scores the pathways, and writes them into its folder.

    Args:
        model: The model.
        study: Its classifier and the images.
        options: How it is explained.
    """
    method = make_method(model, study, options)
    say(f"{model.name}: {len(study.held_out)} images explained by {options.explainer}")
    evaluation = evaluate_method(study, method, options.generator)
    session = open_session(study.target, study.params, batch_size=options.generator.batch_size)
    saliency = saliency_maps(session, method, passes_over(session, study.held_out, options.generator))
    masks, predicted = evaluation.records.masks, evaluation.records.predicted
    densities = metrics.density_over_depth(masks, study.target.sites)
    iou = metrics.class_similarity(masks, predicted, study.target.num_classes).matrix
    figures = {
        **evaluation.figures,
        "density_over_depth": _describe(densities),
        "iou_matrix": iou.tolist(),
        "blank_saliency": float((saliency["pathway"] == 0).all(axis=(1, 2)).mean()),
        "warnings": metrics.chance_warnings(
            predicted, evaluation.records.labels, study.target.num_classes, who=model.name
        ),
    }
    if jax.process_index() == 0:
        write_pathways(model.out, study.target, evaluation)
    return Profile(model.name, figures, evaluation.records, densities, iou, saliency, evaluation.localised)


def _describe(densities: np.ndarray) -> dict[str, list[float]]:
    """Mean and spread over the images of densities [N_images, P] at each relative depth."""
    low, high = np.percentile(densities, [10, 90], axis=0)
    return {
        "depth": np.linspace(0, 1, densities.shape[1]).tolist(),
        "mean": densities.mean(axis=0).tolist(),
        "percentile_10": low.tolist(),
        "percentile_90": high.tolist(),
    }
