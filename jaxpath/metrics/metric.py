"""The table of metrics: one row each, over which results, curves, tables, figures and pages iterate."""

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

from jaxpath.metrics.evidence import Evidence, gather_evidence
from jaxpath.metrics.faithfulness import agreement, mean_drop, mean_increase, worst_class_agreement
from jaxpath.metrics.records import Records
from jaxpath.metrics.session import Passes, Session
from jaxpath.metrics.similarity import random_aciou
from jaxpath.pathways import unflatten

NAN = float("nan")


class Metric(NamedTuple):
    """One figure of an explainer on a data set.

    Attributes:
        name: Its key in ``results.json`` and in every row.
        label: What figures and tables call it.
        measure: ``evidence -> figure``; NaN where it does not exist.
        better: Which way is good.
        headline: Printed at the end of a run.
        at_densities: Reported at every density of a curve; otherwise at the explainer's own density alone.
        interval: Gets a 95 % interval over runs with different seeds.
        panel: Has a panel in the figure of curves and a place in each cell of the comparison's table.
        fact: What a page on a data set writes after the figure, such as "keep their class with the pathway
            alone (fidelity)" after "97.2 %". Other figures are filled in by name, as in ``"{between_iou:.2f}
            between classes"``. Metrics with an empty fact are not on that page.
        share: Whether a page writes it as a percentage.
        needs_labels: Whether it compares with the label; it is left out where an image has none.
    """

    name: str
    label: str
    measure: Callable[[Evidence], float]
    better: Literal["high", "low", "neither"] = "neither"
    headline: bool = False
    at_densities: bool = False
    interval: bool = False
    panel: bool = False
    fact: str = ""
    share: bool = True
    needs_labels: bool = False


def _target_accuracy(evidence: Evidence) -> float:
    return agreement(evidence.records.predicted, evidence.records.labels)


def _fidelity(evidence: Evidence) -> float:
    return agreement(evidence.records.masked_predicted, evidence.records.predicted)


def _worst_class_fidelity(evidence: Evidence) -> float:
    records = evidence.records
    return worst_class_agreement(records.masked_predicted, records.predicted)


def _accuracy(evidence: Evidence) -> float:
    return agreement(evidence.records.masked_predicted, evidence.records.labels)


def _mean_drop(evidence: Evidence) -> float:
    return mean_drop(evidence.records.clean_confidence, evidence.records.masked_confidence)


def _mean_increase(evidence: Evidence) -> float:
    return mean_increase(evidence.records.clean_confidence, evidence.records.masked_confidence)


def _density(evidence: Evidence) -> float:
    return float(evidence.records.masks.mean(axis=1).mean())


def _density_std(evidence: Evidence) -> float:
    return float(evidence.records.masks.mean(axis=1).std())


def _leakage(evidence: Evidence) -> float:
    if evidence.crossed is None:
        return NAN
    return agreement(evidence.crossed.predicted, evidence.records.predicted[evidence.crossed.partners])


def _retention(evidence: Evidence) -> float:
    return (
        NAN if evidence.crossed is None else agreement(evidence.crossed.predicted, evidence.records.predicted)
    )


METRICS = (
    Metric(
        "target_accuracy",
        "accuracy of the network",
        _target_accuracy,
        better="high",
        headline=True,
        fact="of the images are classified rightly by the whole network",
        needs_labels=True,
    ),
    Metric(
        "fidelity",
        "fidelity",
        _fidelity,
        better="high",
        headline=True,
        at_densities=True,
        interval=True,
        panel=True,
        fact="keep their class with the pathway alone (fidelity)",
    ),
    Metric("worst_class_fidelity", "fidelity of the worst class", _worst_class_fidelity, better="high"),
    Metric(
        "leakage",
        "leakage",
        _leakage,
        better="low",
        headline=True,
        at_densities=True,
        interval=True,
        panel=True,
        fact="of pathways turn a picture of another class into their own (leakage)",
    ),
    Metric(
        "retention",
        "retention",
        _retention,
        better="high",
        headline=True,
        at_densities=True,
        interval=True,
    ),
    Metric(
        "accuracy",
        "accuracy under the pathway",
        _accuracy,
        better="high",
        at_densities=True,
        interval=True,
        needs_labels=True,
    ),
    Metric(
        "mdc",
        "mean drop of confidence",
        _mean_drop,
        better="low",
        headline=True,
        at_densities=True,
        interval=True,
        panel=True,
    ),
    Metric(
        "mic",
        "share with more confidence",
        _mean_increase,
        better="high",
        at_densities=True,
        interval=True,
    ),
    Metric(
        "density",
        "density",
        _density,
        better="low",
        headline=True,
        interval=True,
        fact="of the channels are open (density; ± {density_std:.1%} over images)",
    ),
    Metric("density_std", "standard deviation of the density", _density_std),
    Metric("unit_density", "density of units", lambda evidence: float(evidence.records.unit_density.mean())),
    Metric("dead_share", "open but inactive", lambda evidence: float(evidence.records.dead_share.mean())),
    Metric(
        "aciou",
        "IoU within classes",
        lambda evidence: evidence.similarity.aciou,
        better="high",
        headline=True,
        at_densities=True,
        interval=True,
        fact="overlap (IoU) within a class; {between_iou:.2f} between classes, {random_aciou:.2f} at random",
        share=False,
    ),
    Metric(
        "between_iou",
        "IoU between classes",
        lambda evidence: evidence.similarity.between_iou,
        better="low",
        headline=True,
        at_densities=True,
        interval=True,
    ),
    Metric(
        "iou_gap",
        "gap of IoU within and between classes",
        lambda evidence: evidence.similarity.aciou - evidence.similarity.between_iou,
        better="high",
    ),
    Metric(
        "random_aciou",
        "IoU of random masks",
        lambda evidence: random_aciou(_density(evidence)),
        at_densities=True,
    ),
)
"""Every metric, in the order of ``results.json``."""


def evaluate_records(session: Session, records: Records, passes: Passes, *, seed: int = 0) -> dict[str, Any]:
    """Every metric of an explainer on a data set; leakage needs one more pass over it.

    Leakage is how often an image under the pathway of an image of another class is predicted as that
    class; without any mask it never is. Retention is how often it keeps its own. Both are NaN if all images
    are predicted as one class.

    Args:
        session: The classifier.
        records: From :func:`~jaxpath.metrics.explain_all`, or one of
            :func:`~jaxpath.metrics.explain_at_densities`, made with the session's fills.
        passes: Their data set.
        seed: Of the choice of images of other classes.

    Returns:
        The figure of each of :data:`METRICS` by its name, without those that need labels if an image has
        none, and what :func:`describe_sites` says.
    """
    evidence = gather_evidence(session, records, passes, seed=seed)
    measured = [metric for metric in METRICS if records.are_labelled or not metric.needs_labels]
    figures = {metric.name: metric.measure(evidence) for metric in measured}
    return {**figures, **describe_sites(session, records)}


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


def metric_names(keep: Callable[[Metric], bool]) -> tuple[str, ...]:
    """Names of the metrics for which ``keep`` is true, in the order of :data:`METRICS`.

    >>> metric_names(lambda metric: metric.panel)
    ('fidelity', 'leakage', 'mdc')
    """
    return tuple(metric.name for metric in METRICS if keep(metric))


def at_densities(figures: Mapping[str, Any]) -> dict[str, Any]:
    """Of all ``figures`` those that are reported at every density."""
    names = metric_names(lambda metric: metric.at_densities)
    return {name: figures[name] for name in names if name in figures}
