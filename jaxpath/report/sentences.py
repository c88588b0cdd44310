"""What the figures of a finding mean, in plain language: the verdict and the caveats."""

import math
import string
from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from jaxpath.findings.data_set import DataSetFinding
from jaxpath.findings.facts import ImageFinding
from jaxpath.metrics import METRICS
from jaxpath.report.style import number, percent

_HALF = 0.5
_SOME = 0.1
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


def verdict(finding: ImageFinding, names: Names) -> str:
    """What the classifier says, and whether the pathway alone says it too."""
    said, confidence = names.quoted(finding.predicted), finding.confidence
    first = f"The classifier says {said} with probability {confidence.clean:.2f}."
    opened = f"With only {percent(finding.density)} of its {finding.neurons} open, the pathway, it"
    if finding.masked_predicted == finding.predicted:
        return f"{first} {opened} still does, with {confidence.pathway:.2f}."
    other = names.quoted(finding.masked_predicted)
    return f"{first} {opened} says {other} instead and gives {said} {confidence.pathway:.2f}."


def caveats(finding: ImageFinding, names: Names) -> list[Caveat]:
    """How far to trust a picture's pathway, the worst first."""
    points = [
        *_decision(finding, names),
        *_leaks(finding, names),
        *_silence(finding),
        *_rivals(finding),
    ]
    order = {"bad": 0, "note": 1, "good": 2}
    return sorted(points, key=lambda caveat: order[caveat.level])


def _decision(finding: ImageFinding, names: Names) -> list[Caveat]:
    points = []
    if finding.masked_predicted != finding.predicted:
        points.append(
            Caveat(
                "bad",
                "The pathway does not carry this decision",
                f"Alone, its channels lead to {names.quoted(finding.masked_predicted)}. What they show is "
                "not why the classifier decided as it did; a higher density may help.",
            )
        )
    if finding.confidence.clean < _HALF:
        points.append(
            Caveat(
                "note",
                "The classifier is not sure",
                f"It gives its own first choice {finding.confidence.clean:.2f}. The pathway explains that "
                "choice, whether it is right or not.",
            )
        )
    return points


def _leaks(finding: ImageFinding, names: Names) -> list[Caveat]:
    leak, said = finding.leakage, names.quoted(finding.predicted)
    points = []
    if leak.num_foreign:
        level, verb = _leak_level(leak.foreign_share, leak.foreign)
        count = round(leak.foreign_share * leak.num_foreign)
        points.append(
            Caveat(
                level,
                f"This pathway {verb} pictures of other classes into {said}: {leak.foreign:.2f}",
                f"It was put on {leak.num_foreign} reference pictures of other classes: {count} of them came "
                f"out as {said}, with a mean probability of {leak.foreign:.2f}. {_leak_meaning(level)}",
            )
        )
    level, verb = _leak_level(leak.blank_share, leak.blank)
    points.append(
        Caveat(
            level,
            f"It {verb} pictures of nothing into {said}: {leak.blank:.2f}",
            "Noise, a grey and a black picture were put through the pathway; the figure is the mean "
            f"probability of {said}." + ("" if leak.num_foreign else f" {_leak_meaning(level)}"),
        )
    )
    return points


def _leak_level(share: float, probability: float) -> tuple[Level, str]:
    strongest = max(share, probability)
    if strongest >= _HALF:
        return "bad", "turns"
    return ("note", "turns some") if strongest >= _SOME else ("good", "does not turn")


def _leak_meaning(level: Level) -> str:
    if level == "good":
        return "The decision needs this picture, not only these channels."
    return (
        "So the choice of channels alone already says the class: it names the neurons of the class, and does "
        "not prove that they carried this decision."
    )


def _silence(finding: ImageFinding) -> list[Caveat]:
    points = []
    if not finding.saliency[1].any():
        points.append(
            Caveat(
                "bad",
                "Nothing of the picture reaches the decision through this pathway",
                "No pixel changes its outcome: the way from the picture is closed somewhere, and what "
                "remains open works through the constants of the network.",
            )
        )
    if finding.dead_share >= _SOME:
        points.append(
            Caveat(
                "note",
                f"{percent(finding.dead_share)} of the open channels are silent here",
                "They do not respond to this picture at all, so they add nothing to this decision.",
            )
        )
    return points


def _rivals(finding: ImageFinding) -> list[Caveat]:
    points, confidence = [], finding.confidence
    if confidence.random >= _HALF * confidence.pathway:
        points.append(
            Caveat(
                "bad",
                "Random channels do nearly as well",
                f"As many channels drawn at random reach {confidence.random:.2f} where the pathway reaches "
                f"{confidence.pathway:.2f}.",
            )
        )
    if confidence.removed >= _HALF * confidence.clean:
        points.append(
            Caveat(
                "note",
                "The decision stands without the pathway",
                f"With exactly these channels closed the probability is {confidence.removed:.2f}, before "
                f"it was {confidence.clean:.2f}: other channels carry it as well.",
            )
        )
    if not points:
        points.append(
            Caveat(
                "good",
                "It takes these channels",
                f"With exactly them closed the probability falls to {confidence.removed:.2f}; as many random "
                f"channels alone reach {confidence.random:.2f}.",
            )
        )
    return points


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
        level, verb = _leak_level(metrics["leakage"], 0.0)
        points.append(
            Caveat(
                level,
                f"A pathway {verb} pictures of other classes into its own class: {metrics['leakage']:.2f}",
                f"Each pathway was put on a picture of another class. {percent(metrics['leakage'])} came out "
                f"as the pathway's class, {percent(metrics['retention'])} kept their own. "
                + _leak_meaning(level).replace("this decision", "the decisions"),
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
    if metrics["iou_gap"] < _SOME:
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
