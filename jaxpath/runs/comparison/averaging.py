"""Runs of one name become one row: means, and intervals over the runs."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from jaxpath import metrics
from jaxpath.runs.comparison.scoring import Row

_WITH_INTERVAL = (*metrics.metric_names(lambda metric: metric.interval), "worst_fidelity")
"""All of them are shares."""


def merge(scores: Iterable[tuple[str, Row]]) -> dict[str, Row]:
    """One row per name, in the order of their first runs.

    Args:
        scores: The name of an explainer, and what was measured in one of its runs.

    Returns:
        Name -> ``runs``, their number, and the mean of every figure. Of several, metrics that have an
        interval get one of 95 % over the runs, from ``NAME_runs_low`` to ``NAME_runs_high``.
    """
    groups: dict[str, list[Row]] = {}
    for name, row in scores:
        groups.setdefault(name, []).append(row)
    return {name: {"runs": len(group), **_mean(group)} for name, group in groups.items()}


def _mean(values: Sequence[Any]) -> Any:
    """Means of nested figures that have the same form in every run."""
    first = values[0]
    if len(values) == 1:
        return first
    if isinstance(first, Mapping):
        return _mean_of_mappings(values)
    if isinstance(first, list):
        if first and isinstance(first[0], Mapping):
            return [_mean(items) for items in zip(*values, strict=True)]
        return sorted({item for value in values for item in value})
    # A density stays the number that it was: the mean of three 0.1 is another.
    differ = isinstance(first, float) and any(value != first for value in values)
    return float(np.mean(values)) if differ else first


def _mean_of_mappings(values: Sequence[Mapping[str, Any]]) -> Row:
    means: Row = {}
    for name in values[0]:
        # A run may have no interval where it has hardly a value.
        if not all(name in value for value in values):
            continue
        runs = [value[name] for value in values]
        means[name] = _mean(runs)
        if name in _WITH_INTERVAL and np.isfinite(means[name]):
            interval = metrics.seed_interval(runs, bounds=(0.0, 1.0))
            means[f"{name}_runs_low"], means[f"{name}_runs_high"] = interval.low, interval.high
    return means
