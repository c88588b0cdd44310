"""The page that sets two pictures, or two classifiers, side by side."""

from collections.abc import Sequence
from pathlib import PurePath
from typing import Any, NamedTuple

from jaxpath.findings import ImageFinding, WordComparison
from jaxpath.findings.side_by_side import SharedChannel, SideBySide
from jaxpath.report import encode
from jaxpath.report.album import Album
from jaxpath.report.charts import Bar
from jaxpath.report.columns import image_columns, stage_row
from jaxpath.report.conclusions import COLUMNS, control_rows, in_short, verdict
from jaxpath.report.pages import CROP, PHOTO, Setting, render
from jaxpath.report.sentences import Names


class Side(NamedTuple):
    """One half of the page: what was found, and by which classifier."""

    finding: ImageFinding
    setting: Setting


def side_by_side_page(
    sides: Sequence[Side], shared: SideBySide | None, *, matched: WordComparison | None = None
) -> str:
    """Two pictures, or two classifiers on one picture, as HTML.

    Args:
        sides: The two halves.
        shared: What the pathways share; None where they are of two classifiers.
        matched: The words of the pathways of two classifiers; None without words of both.
    """
    first, album = sides[0].setting, Album()
    small = encode.is_small(sides[0].finding.image)
    lists = (
        {}
        if shared is None
        else {name: _cards(getattr(shared, name), album, small=small) for name in ("both", "first", "second")}
    )
    return render(
        "side_by_side.html",
        album=album,
        setting=first,
        heading="Two classifiers side by side" if shared is None else "Two pictures side by side",
        about=f"One picture, and the classifiers {first.model} and {sides[1].setting.model}."
        if shared is None
        else f"Two pictures, explained for the classifier {first.model}.",
        sides=[_side(side, album) for side in sides],
        shared=shared,
        matched=matched,
        **{"both": [], "first": [], "second": [], **lists},
    )


def _side(side: Side, album: Album) -> dict[str, Any]:
    finding, names = side.finding, Names(side.setting.class_names)
    assessment = finding.assessment
    return {
        "title": PurePath(finding.name).name or finding.name,
        "model": f"{side.setting.model}; {side.setting.method}",
        "picture": album.add(finding.image, side=PHOTO),
        "kind": assessment.judgement.verdict,
        "label": in_short(assessment.judgement),
        "verdict": verdict(assessment, names, neurons=finding.neurons),
        "top": [Bar(names(label), probability) for label, probability in finding.top],
        "controls": control_rows(assessment.measured.controls),
        "ablations": [COLUMNS[name] for name in assessment.measured.controls],
        "columns": image_columns(finding.mask, side.setting.sites, None, None),
        "stages": stage_row(side.setting.sites),
    }


def _cards(channels: Sequence[SharedChannel], album: Album, *, small: bool) -> list[dict[str, Any]]:
    return [
        {**channel._asdict(), "parts": [album.add(part, side=CROP, small=small) for part in channel.parts]}
        for channel in channels
    ]
