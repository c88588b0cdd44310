"""The table of metrics: one row each, over which results, curves, tables, figures and pages iterate."""

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

import numpy as np

from jaxpath.metrics.detection import Detection
from jaxpath.metrics.evidence import Evidence
from jaxpath.metrics.faithfulness import agreements, drops, increases, worst_class_agreement
from jaxpath.metrics.records import Records
from jaxpath.metrics.similarity import random_aciou
from jaxpath.metrics.trials import Trials

Measured = float | np.ndarray | None
"""A figure; or values of which it is the mean, NaN where an image has none; or None if it does not exist."""


NAN = float("nan")


class Metric(NamedTuple):
    """One figure of an explainer on a data set.

    Attributes:
        name: Its key in ``results.json`` and in every row.
        label: What figures and tables call it.
        measure: ``evidence ->`` :data:`Measured`. Values, one per image or pathway, also give an interval.
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
        ablated: Whether it depends on what closed neurons hold: a comparison gives it under every ablation.
    """

    name: str
    label: str
    measure: Callable[[Evidence], Measured]
    better: Literal["high", "low", "neither"] = "neither"
    headline: bool = False
    at_densities: bool = False
    interval: bool = False
    panel: bool = False
    fact: str = ""
    share: bool = True
    needs_labels: bool = False
    ablated: bool = False


def _target_accuracy(evidence: Evidence) -> Measured:
    return agreements(evidence.records.predicted, evidence.records.labels)


def _fidelity(evidence: Evidence) -> Measured:
    return agreements(evidence.records.masked_predicted, evidence.records.predicted)


def _worst_class_fidelity(evidence: Evidence) -> Measured:
    records = evidence.records
    return worst_class_agreement(records.masked_predicted, records.predicted)


def _accuracy(evidence: Evidence) -> Measured:
    return agreements(evidence.records.masked_predicted, evidence.records.labels)


def _drop(evidence: Evidence) -> Measured:
    return drops(evidence.records.clean_confidence, evidence.records.masked_confidence)


def _increase(evidence: Evidence) -> Measured:
    return increases(evidence.records.clean_confidence, evidence.records.masked_confidence)


def _density(evidence: Evidence) -> Measured:
    return evidence.records.masks.mean(axis=1)


def _density_std(evidence: Evidence) -> Measured:
    return float(evidence.records.masks.mean(axis=1).std())


def _on_trial(measure: Callable[[Records, Trials], Measured]) -> Callable[[Evidence], Measured]:
    """A metric of pathways on other pictures; it does not exist where they were not tried."""

    def measure_evidence(evidence: Evidence) -> Measured:
        return None if evidence.trials is None else measure(evidence.records, evidence.trials)

    return measure_evidence


def _detected(measure: Callable[[Detection], Measured]) -> Callable[[Evidence], Measured]:
    """A metric of pathways on a panel: NaN where it has nothing to tell, and none where it was not tried."""

    def measure_evidence(evidence: Evidence) -> Measured:
        if evidence.trials is None:
            return None
        return NAN if evidence.detection is None else measure(evidence.detection)

    return measure_evidence


def _leakage(records: Records, trials: Trials) -> Measured:
    predicted = records.predicted[trials.foreign_partners]
    return _where_foreign(records, trials, agreements(trials.foreign_predicted, predicted))


def _retention(records: Records, trials: Trials) -> Measured:
    return _where_foreign(records, trials, agreements(trials.foreign_predicted, records.predicted))


def _where_foreign(records: Records, trials: Trials, values: np.ndarray) -> np.ndarray:
    """NaN where there was no image of another class."""
    return np.where(records.predicted[trials.foreign_partners] == records.predicted, np.nan, values)


def _same_class_acceptance(records: Records, trials: Trials) -> Measured:
    alone = trials.kin_partners == np.arange(len(trials.kin_partners))
    return np.where(alone, np.nan, agreements(trials.kin_predicted, records.predicted))


def _blank_acceptance(records: Records, trials: Trials) -> Measured:
    return agreements(trials.blank_predicted, records.predicted[:, None]).mean(axis=1)


def _connected(records: Records, trials: Trials) -> Measured:
    return trials.connected.astype(np.float64)


def _object_above_background(records: Records, trials: Trials) -> Measured:
    share = trials.object_share
    return None if share is None else np.where(np.isnan(share), np.nan, share > 0.5)


METRICS = (
    Metric(
        "target_accuracy",
        "accuracy of the network",
        _target_accuracy,
        better="high",
        headline=True,
        fact="of the images are classified correctly by the whole network",
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
        ablated=True,
    ),
    Metric(
        "worst_class_fidelity",
        "fidelity of the worst class",
        _worst_class_fidelity,
        better="high",
        ablated=True,
    ),
    Metric(
        "leakage",
        "leakage",
        _on_trial(_leakage),
        better="low",
        headline=True,
        at_densities=True,
        interval=True,
        panel=True,
        fact="of pathways turn a picture of another class into their own (leakage)",
        ablated=True,
    ),
    Metric(
        "retention",
        "retention",
        _on_trial(_retention),
        better="high",
        headline=True,
        at_densities=True,
        interval=True,
        ablated=True,
    ),
    Metric(
        "accuracy",
        "accuracy under the pathway",
        _accuracy,
        better="high",
        at_densities=True,
        interval=True,
        needs_labels=True,
        ablated=True,
    ),
    Metric(
        "mdc",
        "mean drop of confidence",
        _drop,
        better="low",
        headline=True,
        at_densities=True,
        interval=True,
        panel=True,
        ablated=True,
    ),
    Metric(
        "mic",
        "share with more confidence",
        _increase,
        better="high",
        at_densities=True,
        interval=True,
        ablated=True,
    ),
    Metric(
        "blank_acceptance",
        "acceptance of blank pictures",
        _on_trial(_blank_acceptance),
        better="low",
        headline=True,
        at_densities=True,
        interval=True,
        fact="of blank pictures (noise, grey, black, shuffled pixels) become a pathway's class",
        ablated=True,
    ),
    Metric(
        "same_class_acceptance",
        "acceptance of its class",
        _on_trial(_same_class_acceptance),
        better="high",
        headline=True,
        at_densities=True,
        interval=True,
        fact="of other pictures of its class keep it under a picture's pathway",
        ablated=True,
    ),
    Metric(
        "selectivity",
        "selectivity",
        _detected(lambda one: one.instances),
        better="high",
        headline=True,
        at_densities=True,
        interval=True,
        ablated=True,
    ),
    Metric(
        "connected",
        "connected to the pixels",
        _on_trial(_connected),
        better="high",
        headline=True,
        at_densities=True,
        interval=True,
        ablated=True,
    ),
    Metric(
        "object_above_background",
        "object moves it more than background",
        _on_trial(_object_above_background),
        better="high",
        headline=True,
        at_densities=True,
        interval=True,
        ablated=True,
    ),
    Metric(
        "class_selectivity",
        "selectivity of class pathways",
        _detected(lambda one: one.classes),
        better="high",
        headline=True,
        at_densities=True,
        interval=True,
        ablated=True,
    ),
    Metric(
        "class_acceptance",
        "acceptance by class pathways",
        _detected(lambda one: one.accepted.astype(np.float64)),
        better="high",
        headline=True,
        at_densities=True,
        interval=True,
        ablated=True,
    ),
    Metric(
        "class_leakage",
        "leakage of class pathways",
        _detected(lambda one: one.leaked.astype(np.float64)),
        better="low",
        headline=True,
        at_densities=True,
        interval=True,
        ablated=True,
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
    Metric("unit_density", "density of units", lambda evidence: evidence.records.unit_density),
    Metric("dead_share", "open but inactive", lambda evidence: evidence.records.dead_share),
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
        lambda evidence: random_aciou(float(evidence.records.masks.mean(axis=1).mean())),
        at_densities=True,
    ),
)
"""Every metric, in the order of ``results.json``."""


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
