"""Results for programs: plain values by documented names (docs/results.md), from what was measured."""

import csv
import io
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from jaxpath.findings.assessing import Assessment
from jaxpath.findings.verdicts import VERDICTS, Controls

SCHEMA_VERSION = 1
"""Raised whenever a name or a meaning in ``results.json`` changes; further names do not raise it."""

Name = Callable[[int], str]
"""``name(class) -> str``."""


def picture_rows(assessments: Sequence[Assessment], name: Name) -> list[dict[str, Any]]:
    """The list ``pictures``: a row for each, with the classes also by name."""
    rows = []
    for assessment in assessments:
        row = assessment.as_row()
        against = assessment.against
        named = {
            "predicted_name": name(assessment.predicted),
            "class_name": name(assessment.explained),
            "against_name": None if against is None else name(against),
        }
        rows.append({**row, **named})
    return rows


def summarise(assessments: Sequence[Assessment]) -> dict[str, Any]:
    """Means over pictures: the share of each verdict, and under each ablation its figures.

    Returns:
        ``pictures``, their number; ``weak``, ``switch``, ``surer_than_network`` and each verdict, shares;
        ``density``; and by ablation the mean probability of each control, ``fidelity`` (share that keep the
        class with the pathway alone), ``leakage`` and ``blank_acceptance`` (shares of pictures of other
        classes and of blank ones that become the class), ``enough`` and ``needed``. NaN where nothing was
        measured.
    """
    verdicts = [assessment.judgement.verdict for assessment in assessments]
    summary: dict[str, Any] = {"pictures": len(assessments)}
    if not assessments:
        return summary
    summary |= {verdict: verdicts.count(verdict) / len(verdicts) for verdict in VERDICTS}
    summary |= {
        "weak": _mean(assessment.judgement.weak for assessment in assessments),
        "switch": _mean(assessment.judgement.switch for assessment in assessments),
        "surer_than_network": _mean(assessment.judgement.surer for assessment in assessments),
        "density": _mean(assessment.density for assessment in assessments),
    }
    for ablation in assessments[0].measured.controls:
        summary[ablation] = _under([a.measured.controls[ablation] for a in assessments])
    return summary


def _under(measured: Sequence[Controls]) -> dict[str, float]:
    figures = {
        name: _mean(getattr(controls, name).probability for controls in measured) for name in Controls._fields
    }
    return figures | {
        "fidelity": _mean(controls.alone.share for controls in measured),
        "leakage": _mean(controls.other_pictures.share for controls in measured),
        "blank_acceptance": _mean(controls.blank_pictures.share for controls in measured),
        "enough": _mean(controls.enough for controls in measured),
        "needed": _mean(controls.needed for controls in measured),
    }


def _mean(values: Iterable[float]) -> float:
    """The mean of the values that exist; NaN without any."""
    known = [float(value) for value in values if not math.isnan(value)]
    return float(np.mean(known)) if known else math.nan


def as_csv(rows: Sequence[Mapping[str, Any]]) -> str:
    """Rows as CSV; a mapping within a row becomes columns such as ``zero.alone``, what is missing is empty.

    >>> print(as_csv([{"file": "a.png", "zero": {"alone": 0.5}}, {"file": "b.png"}]), end="")
    file,zero.alone
    a.png,0.5
    b.png,
    """
    flat = [flatten(row) for row in rows]
    columns = list(dict.fromkeys(name for row in flat for name in row))
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows({name: _cell(value) for name, value in row.items()} for row in flat)
    return text.getvalue()


def flatten(values: Mapping[str, Any]) -> dict[str, Any]:
    """Mappings within mappings as one, by names with dots.

    >>> flatten({"zero": {"alone": 0.5}, "density": 0.2})
    {'zero.alone': 0.5, 'density': 0.2}
    """
    flat: dict[str, Any] = {}
    for name, value in values.items():
        if isinstance(value, Mapping):
            flat |= {f"{name}.{inner}": item for inner, item in flatten(value).items()}
        else:
            flat[name] = value
    return flat


def _cell(value: Any) -> Any:
    missing = value is None or (isinstance(value, float) and not math.isfinite(value))
    return "" if missing else value
