"""The pixels behind a pathway, and whether they are those of the object."""

from typing import Any

import numpy as np
from jax import Array

from jaxpath import explainers, metrics
from jaxpath.finite import flags
from jaxpath.metrics import Method, Passes, Session
from jaxpath.metrics.trials import REGION
from jaxpath.types import Batch, Params

KINDS = ("pathway", "gradient")
"""Through each image's pathway, and through the whole network."""

SCORES = {"pointing_game": metrics.pointing_game, "energy": metrics.energy_in_mask}


def saliency_maps(session: Session, method: Method, passes: Passes) -> dict[str, np.ndarray]:
    """Saliency of each image's predicted class through its pathway and through the whole network.

    Args:
        session: The classifier.
        method: The explainer; its pathways are those that :func:`jaxpath.metrics.explain_all` records.
        passes: The images.

    Returns:
        ``pathway`` and ``gradient``, [N_images, H, W] each.
    """

    def evaluate(both: tuple[Params, Params], batch: Batch) -> dict[str, Array]:
        maps, clean = _maps(session, method, both, batch)
        return {**maps, **flags(logits=clean)}

    maps = metrics.per_image(evaluate, (session.params, method.params), passes, mesh=session.mesh)
    return {kind: maps[kind] for kind in KINDS}


def localise(session: Session, method: Method, passes: Passes) -> dict[str, np.ndarray]:
    """Whether the magnitude of that saliency points at the objects; images without a box are left out.

    Args:
        session: The classifier.
        method: The explainer.
        passes: The images with their boxes; see :func:`jaxpath.runs.boxes.with_boxes`.

    Returns:
        Per image with a box, [N]: its place in the data (``indices``), ``region``, the share of the image
        that the boxes cover, and ``KIND_pointing_game`` and ``KIND_energy`` of ``pathway`` and ``gradient``.
    """

    def evaluate(both: tuple[Params, Params], batch: Batch) -> dict[str, Array]:
        maps, clean = _maps(session, method, both, batch)
        region = batch[REGION]
        scores = {
            f"{kind}_{name}": score(abs(maps[kind]), region)
            for kind in KINDS
            for name, score in SCORES.items()
        }
        area = region.astype("float32").mean(axis=(1, 2))
        return {**scores, "region": area, **flags(logits=clean)}

    values = metrics.per_image(evaluate, (session.params, method.params), passes, mesh=session.mesh)
    boxed = values["region"] > 0
    names = ("indices", "region", *(f"{kind}_{name}" for kind in KINDS for name in SCORES))
    return {name: values[name][boxed] for name in names}


def describe_localisation(values: dict[str, np.ndarray], *, seed: int) -> dict[str, Any]:
    """Means of what :func:`localise` returns, with 95 % intervals over the images.

    Args:
        values: Of at least two images.
        seed: Of the resampling.
    """
    scores: dict[str, Any] = {
        kind: {name: metrics.image_interval(values[f"{kind}_{name}"], seed=seed)._asdict() for name in SCORES}
        for kind in KINDS
    }
    return {**scores, "region": float(values["region"].mean()), "num_images": len(values["region"])}


def _maps(
    session: Session, method: Method, both: tuple[Params, Params], batch: Batch
) -> tuple[dict[str, Array], Array]:
    """Maps by kind, [b, H, W], and the clean logits, by the classifier's and the method's parameters."""
    params, weights = both
    target = session.target
    clean, pathway = metrics.explain_batch(target, params, method.make(weights), batch, seed=method.seed)
    classified = target, params, batch["image"], clean.logits.argmax(axis=-1)
    through = dict(zip(KINDS, (pathway.masks, None), strict=True))
    maps = {kind: explainers.pathway_saliency(*classified, masks) for kind, masks in through.items()}
    return maps, clean.logits
