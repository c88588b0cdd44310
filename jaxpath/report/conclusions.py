"""What may be concluded about a picture, in plain language, and what speaks for and against it."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from jaxpath.findings import VERDICTS, Assessment, Control, Controls, ImageFinding, Judgement, Verdict
from jaxpath.report.sentences import HALF, SOME, Caveat, Level, Names, leak_level, leak_meaning
from jaxpath.report.style import percent

SHORT: Mapping[Verdict, str] = {
    "carries_this_decision": "carries this decision",
    "names_the_class": "names the class; no evidence about this picture",
    "not_enough": "not enough even alone",
}
"""A verdict in a table."""

_NO_SWITCH = "no switch, but not shown to carry this decision"
"""The second one, where neither other pictures nor blank ones become the class under the pathway."""

HELD = {
    "zero": "closed channels at 0",
    "mean": "closed channels at their mean",
    "interchange": "closed channels at what a picture of another class has there",
}
"""An ablation inside a sentence, after "with"."""

COLUMNS = {
    "zero": "closed channels are 0",
    "mean": "closed channels hold their mean",
    "interchange": "closed channels hold another picture's",
}
"""An ablation above a column."""

_ROWS = {
    "alone": ("the pathway alone", "open"),
    "closed": ("all but the pathway", "muted"),
    "random_alone": ("as many random channels alone", "muted"),
    "random_closed": ("all but as many random channels", "muted"),
    "other_pictures": ("pictures of other classes, with the pathway alone", "own"),
    "blank_pictures": ("blank images, with the pathway alone", "own"),
}


class ControlCell(NamedTuple):
    """A figure of the table of controls: its value for a bar, as text, and its interval, if it has one."""

    value: float
    text: str
    interval: str


class ControlRow(NamedTuple):
    """A row of the table of controls: its name, the colour of its bars, a cell per ablation."""

    name: str
    kind: str
    cells: tuple[ControlCell, ...]


def label_of(verdict: Verdict, *, weak: bool = False, switch: bool = True) -> str:
    """A verdict in a few words, such as for a column.

    Args:
        verdict: What may be concluded.
        weak: Whether the ablations disagree.
        switch: Whether other pictures become the class under the pathway as well.

    >>> label_of("carries_this_decision", weak=True)
    'carries this decision (weak)'
    """
    short = SHORT[verdict] if switch or verdict != "names_the_class" else _NO_SWITCH
    return f"{short}{' (weak)' if weak else ''}"


def in_short(judgement: Judgement) -> str:
    """A conclusion in a few words, such as for a column."""
    return label_of(judgement.verdict, weak=judgement.weak, switch=judgement.switch)


def verdict(assessment: Assessment, names: Names, *, neurons: str = "channels") -> str:
    """What the classifier says, and what may be concluded from the pathway: what a page begins with.

    Args:
        assessment: What was measured.
        names: Of the classes.
        neurons: What the density counts, channels or units.
    """
    parts = [_said(assessment, names), _concluded(assessment, names, neurons)]
    judgement = assessment.judgement
    if judgement.weak:
        kept, lost = _sides(assessment)
        parts.append(
            f"This is weak: it rests on {HELD[kept]}; with {HELD[lost]} the pathway alone gives "
            f"{asked(assessment, names)} {assessment.measured.controls[lost].alone.probability:.2f}."
        )
    if judgement.surer:
        surest = max(c.alone.probability for c in assessment.measured.controls.values())
        parts.append(
            f"The pathway alone is surer than the whole network, {surest:.2f} against "
            f"{assessment.clean:.2f}: it leaves out what speaks against the class."
        )
    return " ".join(parts)


def verdict_of_many(assessments: Sequence[Assessment]) -> str:
    """What may be concluded from the pathways of several pictures, in one sentence or two."""
    if not assessments:
        return "No pathway was put to the test one by one."
    found = [assessment.judgement for assessment in assessments]
    counts = {name: sum(judgement.verdict == name for judgement in found) for name in VERDICTS}
    weak = sum(judgement.weak for judgement in found)
    others = sum(judgement.verdict == "names_the_class" and not judgement.switch for judgement in found)
    pathways = "1 pathway that was" if len(found) == 1 else f"{len(found)} pathways that were"
    spared = f"{others} are no switch for the class, but not shown to carry the decision, " if others else ""
    return (
        f"Of {pathways} put to the test, {counts['carries_this_decision']} carry the decision of their "
        f"picture, {counts['names_the_class'] - others} name the class and are no evidence about the "
        f"picture, {spared}and {counts['not_enough']} are not enough even alone."
        + (f" {weak} of these conclusions are weak: ablations disagree." if weak else "")
    )


def asked(assessment: Assessment, names: Names) -> str:
    """The class in question, with the one that it is set against."""
    name = names.quoted(assessment.explained)
    return name if assessment.against is None else f"{name} rather than {names.quoted(assessment.against)}"


def _said(assessment: Assessment, names: Names) -> str:
    first = f"The classifier says {names.quoted(assessment.predicted)} with probability "
    first += f"{assessment.probability:.2f}."
    if assessment.against is not None:
        among = "among these two" if assessment.against != assessment.predicted else "of the two"
        return f"{first} {asked(assessment, names)} has {assessment.clean:.2f} {among}."
    if assessment.explained != assessment.predicted:
        return f"{first} It gives {names.quoted(assessment.explained)} {assessment.clean:.2f}."
    return first


def _sides(assessment: Assessment) -> tuple[str, str]:
    """The ablations under which the most and the least may be concluded."""
    ranked = sorted(assessment.judgement.by_ablation.items(), key=lambda item: VERDICTS.index(item[1]))
    return ranked[0][0], ranked[-1][0]


def _concluded(assessment: Assessment, names: Names, neurons: str) -> str:
    best, _ = _sides(assessment)
    controls, class_name = assessment.measured.controls[best], asked(assessment, names)
    alone = controls.alone.probability
    opened = f"only the pathway open ({percent(assessment.density)} of its {neurons})"
    if assessment.judgement.verdict == "not_enough":
        if controls.alone.share < HALF:
            other = assessment.alone_predicted
            instead = f"says {names.quoted(other)} and " if other != assessment.explained else ""
            return f"The pathway is not enough: with {opened} it {instead}gives {class_name} {alone:.2f}."
        return (
            f"The pathway is not enough: with {opened} it gives {class_name} {alone:.2f}, and with as many "
            f"random ones {_interval(controls.random_alone)}."
        )
    still = f"With {opened} it still says {class_name}, at {alone:.2f}"
    harm = (
        f"with exactly these closed {controls.closed.probability:.2f}, with as many random ones closed "
        f"{_interval(controls.random_closed)}"
    )
    if controls.says_it_by_itself:
        return (
            f"{still}. But so do {_others_that_do(controls)}: the pathway names the channels of "
            f"{names.quoted(assessment.explained)} and is no evidence about this picture."
        )
    if not controls.needed:
        return f"{still}. But the decision is not shown to need these channels: {harm}."
    spared = "other pictures and blank images" if controls.other_pictures.runs else "blank images"
    if assessment.judgement.verdict == "carries_this_decision":
        return (
            f"These channels carry this decision. {still}; {harm}; and {spared} do not become it "
            f"({max(controls.other_pictures.strongest, controls.blank_pictures.strongest):.2f})."
        )
    return f"{still}; {harm}; {spared} do not become it. But not under every ablation."


def _others_that_do(controls: Controls) -> str:
    named = (
        ("blank images", controls.blank_pictures),
        ("pictures of other classes", controls.other_pictures),
    )
    return " and ".join(_how_many(name, each) for name, each in named if each.strongest >= HALF)


def _how_many(name: str, control: Control) -> str:
    """Pictures that become the class, and its mean probability; their share, where that is what counts."""
    some = "" if control.probability >= HALF else f"{percent(control.share)} of "
    return f"{some}{name} ({control.probability:.2f})"


def _interval(control: Control) -> str:
    if control.runs < 2:
        return f"{control.probability:.2f}"
    return f"{control.probability:.2f} [{control.low:.2f}, {control.high:.2f}]"


def control_rows(controls: Mapping[str, Controls]) -> list[ControlRow]:
    """The controls that were measured, as rows of a table with a column per ablation."""
    rows = []
    for name, (title, kind) in _ROWS.items():
        measured = [getattr(each, name) for each in controls.values()]
        if measured[0].runs:
            rows.append(ControlRow(title, kind, tuple(_cell(control) for control in measured)))
    return rows


def _cell(control: Control) -> ControlCell:
    drawn = control.runs > 1
    interval = f"[{control.low:.2f}, {control.high:.2f}]" if drawn else ""
    return ControlCell(control.probability, f"{control.probability:.2f}", interval)


def caveats(finding: ImageFinding, names: Names) -> list[Caveat]:
    """What speaks for and against a picture's pathway, the worst first."""
    points = [
        *_enough(finding.assessment, names),
        *_needed(finding.assessment, names),
        *_leaks(finding.assessment, names),
        *_silence(finding),
        *_unsure(finding.assessment),
    ]
    order = {"bad": 0, "note": 1, "good": 2}
    return sorted(points, key=lambda caveat: order[caveat.level])


def _under(controls: Mapping[str, Controls], keep: str) -> list[str]:
    """The ablations under which a property of the controls holds."""
    return [name for name, each in controls.items() if getattr(each, keep)]


def _only(held: list[str], controls: Mapping[str, Controls]) -> str:
    """Says under which ablations something holds, where it is not under all."""
    return "" if len(held) == len(controls) else f", only with {' and '.join(HELD[name] for name in held)}"


def _enough(assessment: Assessment, names: Names) -> list[Caveat]:
    controls = assessment.measured.controls
    held = _under(controls, "enough")
    name = asked(assessment, names)
    figures = "; ".join(
        f"with {HELD[ablation]} the pathway alone gives {each.alone.probability:.2f}, as many random "
        f"channels alone {_interval(each.random_alone)}"
        for ablation, each in controls.items()
    )
    text = f"For {name}, {figures}."
    if not held:
        return [Caveat("bad", "The pathway is not enough", f"{text} A higher density may help.")]
    level: Level = "good" if len(held) == len(controls) else "note"
    return [Caveat(level, f"The pathway alone is enough{_only(held, controls)}", text)]


def _needed(assessment: Assessment, names: Names) -> list[Caveat]:
    controls = assessment.measured.controls
    held = _under(controls, "needed")
    figures = "; ".join(
        f"with exactly these {each.closed.probability:.2f}, with as many random ones at the same sites "
        f"{_interval(each.random_closed)} ({HELD[ablation]})"
        for ablation, each in controls.items()
    )
    text = f"Probability of {asked(assessment, names)} with channels closed: {figures}."
    if not held:
        return [Caveat("note", "The decision is not shown to need these channels", text)]
    level: Level = "good" if len(held) == len(controls) else "note"
    return [Caveat(level, f"The decision needs these channels{_only(held, controls)}", text)]


def _leaks(assessment: Assessment, names: Names) -> list[Caveat]:
    controls = assessment.measured.controls
    # A pathway that is not enough for its own picture says nothing to others either.
    counted = {name: each for name, each in controls.items() if each.enough}
    said = names.quoted(assessment.explained)
    points = []
    for field, what in (("other_pictures", "pictures of other classes"), ("blank_pictures", "blank images")):
        measured = {name: getattr(each, field) for name, each in counted.items()}
        worst = max(measured, key=lambda name: measured[name].strongest, default=None)
        if worst is None or not measured[worst].runs:
            continue
        control = measured[worst]
        level, verb = leak_level(control.strongest)
        points.append(
            Caveat(
                level,
                f"The pathway {verb} {what} into {said}: {control.probability:.2f}",
                f"{round(control.share * control.runs)} of {control.runs} {what} came out as {said} under "
                f"it, with a mean probability of {control.probability:.2f} ({HELD[worst]}). "
                f"{leak_meaning(level)}",
            )
        )
    return points


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
    if finding.dead_share >= SOME:
        points.append(
            Caveat(
                "note",
                f"{percent(finding.dead_share)} of the open channels are silent here",
                "They do not respond to this picture at all, so they add nothing to this decision.",
            )
        )
    return points


def _unsure(assessment: Assessment) -> list[Caveat]:
    if assessment.probability >= HALF:
        return []
    text = (
        f"It gives its own first choice {assessment.probability:.2f}. A pathway explains a choice, whether "
        "it is right or not."
    )
    return [Caveat("note", "The classifier is not sure", text)]
