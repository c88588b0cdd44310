"""Every metric of an explainer on a data set, and how sure it is."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from jaxpath.metrics.detection import Panel
from jaxpath.metrics.evidence import Evidence, gather_evidence
from jaxpath.metrics.intervals import Interval, image_interval
from jaxpath.metrics.metric import METRICS, Measured, Metric
from jaxpath.metrics.records import Records
from jaxpath.metrics.session import Passes, Session
from jaxpath.pathways import unflatten


def evaluate_records(
    session: Session, records: Records, passes: Passes, *, seed: int = 0, panel: Panel | None = None
) -> dict[str, Any]:
    """Every metric of an explainer on a data set; pathways meet other pictures in one more pass over it.

    Leakage is how often an image under the pathway of an image of another class is predicted as that
    class; without any mask it never is. Retention is how often it keeps its own. ``same_class_acceptance``
    is how often it keeps its class under the pathway of another image of it, ``blank_acceptance`` how often
    a blank picture is given a pathway's class. ``connected`` is the share of pathways through which a pixel
    moves the logit of the class, ``object_above_background`` that through which painting the object over
    moves it more than painting over all else. ``selectivity`` is the area under the ROC curve of the class's
    margin under a pathway, over pictures of the class against all others; ``class_selectivity``,
    ``class_acceptance`` and ``class_leakage`` are of class pathways. Where all images are predicted as one
    class, these are NaN.

    Args:
        session: The classifier.
        records: From :func:`~jaxpath.metrics.explain_all`, or one of
            :func:`~jaxpath.metrics.explain_at_densities`, made with the session's fill.
        passes: Their data set. Batches may hold ``region`` [b, H, W], 1 where the object is.
        seed: Of the choice of images, and of blank pictures.
        panel: From :func:`~jaxpath.metrics.make_panel`, for many evaluations on one data set; None makes
            one, in a further pass.

    Returns:
        The figure of each of :data:`METRICS` by its name, without those that need labels if an image has
        none, and what :func:`describe_sites` says.
    """
    evidence = gather_evidence(session, records, passes, seed=seed, panel=panel)
    return {**figures_of(evidence), **describe_sites(session, records)}


def figures_of(evidence: Evidence) -> dict[str, float]:
    """The figure of each of :data:`METRICS` that exists, by its name."""
    return {metric.name: _figure(measured) for metric, measured in _measure(evidence)}


def intervals_of(evidence: Evidence, *, seed: int = 0) -> dict[str, Interval]:
    """Bootstrap intervals of the metrics that are means of values: how they vary over other images.

    Those of the selectivities are over pathways, for these pictures.

    Args:
        evidence: What the metrics look at.
        seed: Of the resampling.
    """
    intervals = {}
    for metric, measured in _measure(evidence):
        if isinstance(measured, np.ndarray) and np.isfinite(measured).sum() > 1:
            intervals[metric.name] = image_interval(measured[np.isfinite(measured)], seed=seed)
    return intervals


def _measure(evidence: Evidence) -> Iterator[tuple[Metric, float | np.ndarray]]:
    for metric in METRICS:
        if evidence.records.are_labelled or not metric.needs_labels:
            measured = metric.measure(evidence)
            if measured is not None:
                yield metric, measured


def _figure(measured: Measured) -> float:
    """The mean of the values that exist; NaN if there are none."""
    values = np.asarray(measured, np.float64)
    known = values[~np.isnan(values)]
    return float(known.mean()) if known.size else float("nan")


def describe_sites(session: Session, records: Records) -> dict[str, Any]:
    """How open each site is.

    Returns:
        ``density_per_site``, by site name, and ``collapsed_sites``: those with the same gate, 0 or 1, at
        every channel of every image.
    """
    masks = unflatten(records.masks, session.target.sites)
    density = {name: float(mask.mean()) for name, mask in masks.items()}
    return {
        "density_per_site": density,
        "collapsed_sites": [name for name, value in density.items() if value in (0.0, 1.0)],
    }
