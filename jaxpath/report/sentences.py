"""What the figures of a data set mean, in plain language, and the pieces of such sentences."""

import math
import string
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from jaxpath.findings.data_set import DataSetFinding
from jaxpath.metrics import METRICS
from jaxpath.report.style import number, percent

HALF = 0.5
SOME = 0.1
"""Shares from which something is said."""

_NAMED = 10
"""Classes that a sentence names."""

Level = Literal["bad", "note", "good"]


class Caveat(NamedTuple):
    """One thing to know before trusting a pathway.

    Attributes:
        level: ``bad`` speaks against the explanation, ``good`` for it.
        title: The point.
        text: What was measured, and what it means.
    """

    level: Level
    title: str
    text: str


def leak_level(strongest: float) -> tuple[Level, str]:
    """How bad a share of other pictures is that become the class, and the verb for it."""
    if strongest >= HALF:
        return "bad", "turns"
    return ("note", "turns some") if strongest >= SOME else ("good", "does not turn")


def leak_meaning(level: Level) -> str:
    """What a leak of that level means."""
    if level == "good":
        return "The decision needs this picture, not only these channels."
    return (
        "So the choice of channels alone already says the class: it names the neurons of the class, and does "
        "not prove that they carried this decision."
    )


class Fact(NamedTuple):
    """A figure as it is written, and what it says."""

    figure: str
    text: str


class Names:
    """Names of classes, by number: those that are known, else ``class 7``."""

    def __init__(self, names: Sequence[str]):
        self._names = tuple(names)

    def __call__(self, label: int) -> str:
        if 0 <= label < len(self._names) and self._names[label].strip():
            return " ".join(self._names[label].split())
        return f"class {label}"

    def quoted(self, label: int) -> str:
        """The name inside a sentence."""
        return f"“{self(label)}”"


def warning_caveats(warnings: Sequence[str]) -> list[Caveat]:
    """Sentences of :func:`jaxpath.metrics.chance_warnings` as the first thing to know."""
    parts = (warning.partition(": ") for warning in warnings)
    return [Caveat("bad", _sentence(title), f"{_sentence(text)}.") for title, _, text in parts]


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:]


def left_out_caveats(left_out: Sequence[str]) -> list[Caveat]:
    """Says which words no channel could bear, if there are any."""
    if not left_out:
        return []
    return [Caveat("note", "Not every class could be a word", f"{left_out_sentence(left_out)}.")]


def left_out_sentence(left_out: Sequence[str]) -> str:
    """Which classes were not offered as words, by count and name.

    >>> left_out_sentence(["deer", "frog"])
    'No channel is named after 2 classes of which there were no pictures: deer, frog'
    """
    shown = ", ".join(" ".join(name.split()) for name in left_out[:_NAMED])
    more = f" and {len(left_out) - _NAMED} more" if len(left_out) > _NAMED else ""
    count = "1 class" if len(left_out) == 1 else f"{len(left_out)} classes"
    return f"No channel is named after {count} of which there were no pictures: {shown}{more}"


def data_set_facts(figures: Mapping[str, Any]) -> list[Fact]:
    """What a page on a data set says first: the metrics with a fact that exist there.

    Args:
        figures: From :func:`~jaxpath.metrics.evaluate_records`.
    """
    return [
        Fact(
            percent(figures[metric.name]) if metric.share else number(figures[metric.name]),
            _FIGURES.format(metric.fact, **figures),
        )
        for metric in METRICS
        if metric.fact and math.isfinite(figures.get(metric.name, math.nan))
    ]


def ablation_rows(under: Mapping[str, Mapping[str, Any]]) -> list[tuple[str, list[str]]]:
    """Metrics that depend on what closed channels hold: what each is called, and its figure per ablation."""
    return [
        (metric.label, [number(figures.get(metric.name, math.nan)) for figures in under.values()])
        for metric in METRICS
        if metric.ablated and any(math.isfinite(f.get(metric.name, math.nan)) for f in under.values())
    ]


class _Figures(string.Formatter):
    """Figures inside a sentence as pages write them: ``4.3 %``, and a dash for one that does not exist."""

    def format_field(self, value: Any, format_spec: str) -> str:
        return format(value, format_spec).replace("%", " %") if math.isfinite(value) else "-"


_FIGURES = _Figures()


def data_set_caveats(finding: DataSetFinding) -> list[Caveat]:
    """How far to trust the pathways of a data set."""
    metrics = finding.metrics
    points = []
    if metrics["leakage"] == metrics["leakage"]:
        level, verb = leak_level(metrics["leakage"])
        points.append(
            Caveat(
                level,
                f"A pathway {verb} pictures of other classes into its own class: {metrics['leakage']:.2f}",
                f"Each pathway was put on a picture of another class. {percent(metrics['leakage'])} came out "
                f"as the pathway's class, {percent(metrics['retention'])} kept their own. "
                + leak_meaning(level).replace("this decision", "the decisions"),
            )
        )
    if metrics["fidelity"] < 0.9:
        points.append(
            Caveat(
                "bad",
                f"{percent(1 - metrics['fidelity'])} of the pathways do not carry their decision",
                "Alone, they lead to another class than the whole network.",
            )
        )
    if metrics["iou_gap"] < SOME:
        points.append(
            Caveat(
                "note",
                "Pathways of one class are hardly more alike than those of two",
                f"IoU {metrics['aciou']:.2f} within classes, {metrics['between_iou']:.2f} between them.",
            )
        )
    if metrics["collapsed_sites"]:
        points.append(
            Caveat(
                "note",
                f"{len(metrics['collapsed_sites'])} sites have the same gates for every image",
                f"All open or all closed: {', '.join(metrics['collapsed_sites'])}. They tell nothing about "
                "any image.",
            )
        )
    return points
