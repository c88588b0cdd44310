"""The report on pictures: one page, or beyond ten pictures an index and a page for each."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import PurePath
from typing import Any, NamedTuple

from jaxpath.findings.assessing import Assessment
from jaxpath.findings.facts import ImageFinding, Thumbnail
from jaxpath.naming import without_folders
from jaxpath.report import encode
from jaxpath.report.album import Album, Picture
from jaxpath.report.charts import Bar
from jaxpath.report.columns import image_columns, stage_row
from jaxpath.report.conclusions import COLUMNS, asked, caveats, control_rows, in_short, verdict
from jaxpath.report.pages import CROP, NEIGHBOUR, PHOTO, Setting, render
from jaxpath.report.sentences import Names
from jaxpath.types import Site

MOST_ON_ONE_PAGE = 10
"""Pictures that are shown in full on one page; of more, each has a page of its own."""

MAPS = {
    "gradient": "gradient",
    "input_x_gradient": "pixel times gradient",
    "guided_backprop": "guided backpropagation",
    "integrated_gradients": "integrated gradients",
    "smoothgrad": "SmoothGrad",
    "gradcam": "Grad-CAM",
    "gradcam_pp": "Grad-CAM++",
    "layercam": "LayerCAM",
    "lrp_epsilon": "LRP (epsilon rule)",
    "lrp_gamma": "LRP (gamma rule)",
    "lrp_composite": "LRP (composite rules)",
}
"""Attributions of pixels as a page calls them."""

ChannelPages = Mapping[tuple[str, int], str]
"""Name of a site and number of a channel -> the file of its page, as seen from the report."""


class OverviewRow(NamedTuple):
    """A picture in the list at the top of a page.

    Attributes:
        assessment: What may be concluded about it.
        anchor: Where its details are: a place on the page or another file; empty if they are nowhere.
    """

    assessment: Assessment
    anchor: str


def channel_file(sites: Sequence[Site], site: Site, channel: int) -> str:
    """The file of a channel's page, as seen from the report: by the position of its site and its number."""
    return f"channels/{[one.name for one in sites].index(site.name):03d}-{channel}.html"


def image_page(
    findings: Sequence[ImageFinding],
    setting: Setting,
    *,
    overview: Sequence[OverviewRow] = (),
    channel_pages: ChannelPages | None = None,
) -> str:
    """The report on pictures as one page of HTML.

    Args:
        findings: One for each picture that is shown in full.
        setting: How they were made.
        overview: One row for every picture, also those that are not shown in full.
        channel_pages: Pages about channels, to be linked.
    """
    album = Album()
    articles = [
        _article(number, finding, setting, album, channel_pages or {})
        for number, finding in enumerate(findings, 1)
    ]
    return _page(findings, setting, overview, articles, album)


def image_pages(
    findings: Sequence[ImageFinding],
    setting: Setting,
    *,
    assessments: Sequence[Assessment],
    channel_pages: ChannelPages | None = None,
) -> Iterator[tuple[str, str]]:
    """The report on pictures, file by file: (path within the folder of the report, HTML).

    Up to ten pictures that are shown in full are on ``report.html``. Of more, each has a page of its own, and
    ``report.html`` is their index.

    Args:
        findings: One for each picture that is shown in full, the first ones of all.
        setting: How they were made.
        assessments: Of every picture.
        channel_pages: Pages about channels, to be linked.
    """
    apart = len(findings) > MOST_ON_ONE_PAGE
    places = [_file(number) if apart else f"#{_anchor(number)}" for number in range(1, len(findings) + 1)]
    places += [""] * (len(assessments) - len(findings))
    overview = [OverviewRow(*row) for row in zip(assessments, places, strict=True)]
    if not apart:
        yield "report.html", image_page(findings, setting, overview=overview, channel_pages=channel_pages)
        return
    yield "report.html", _page(findings, setting, overview, [], Album())
    pages = {channel: f"../{path}" for channel, path in (channel_pages or {}).items()}
    for number, finding in enumerate(findings, 1):
        album = Album()
        html = render(
            "picture.html",
            album=album,
            **_common(findings, setting),
            a=_article(number, finding, setting, album, pages),
            count=len(findings),
            number=number,
            before=f"{number - 1:03d}.html" if number > 1 else "",
            behind=f"{number + 1:03d}.html" if number < len(findings) else "",
        )
        yield _file(number), html


def _file(number: int) -> str:
    return f"pictures/{number:03d}.html"


def _anchor(number: int) -> str:
    return f"picture-{number}"


def _page(
    findings: Sequence[ImageFinding],
    setting: Setting,
    overview: Sequence[OverviewRow],
    articles: Sequence[dict[str, Any]],
    album: Album,
) -> str:
    return render(
        "images.html",
        album=album,
        **_common(findings, setting),
        articles=articles,
        overview=_shortened(overview) if len(overview) > 1 else (),
        ablations=_ablations(findings, overview),
        count=len(overview) or len(findings),
        shown=len(findings),
    )


def _common(findings: Sequence[ImageFinding], setting: Setting) -> dict[str, Any]:
    """What the pages of a report share."""
    return {
        "setting": setting,
        "total": sum(site.channels for site in setting.sites),
        "names": Names(setting.class_names),
        "words_tested": any(c.words.chance is not None for f in findings for c in f.channels),
    }


def _ablations(findings: Sequence[ImageFinding], overview: Sequence[OverviewRow]) -> list[str]:
    """The ablations under which everything on a page was measured."""
    assessments = [*(row.assessment for row in overview), *(f.assessment for f in findings)]
    return list(assessments[0].measured.controls) if assessments else []


def _shortened(rows: Sequence[OverviewRow]) -> list[dict[str, Any]]:
    """Rows with ``short``, the name without the folders that all of them share."""
    parts = [PurePath(row.assessment.name).parts for row in rows]
    folders = zip(*(names[:-1] for names in parts), strict=False)
    shared = sum(1 for _ in itertools.takewhile(lambda names: len(set(names)) == 1, folders))
    return [
        {
            "anchor": row.anchor,
            "short": str(PurePath(*names[shared:])),
            "assessment": row.assessment,
            "verdict": in_short(row.assessment.judgement),
            "alone": [each.alone.probability for each in row.assessment.measured.controls.values()],
        }
        for row, names in zip(rows, parts, strict=True)
    ]


def _article(
    number: int, finding: ImageFinding, setting: Setting, album: Album, channel_pages: ChannelPages
) -> dict[str, Any]:
    names, assessment, shared = Names(setting.class_names), finding.assessment, finding.class_pathway
    return {
        "anchor": _anchor(number),
        "title": PurePath(finding.name).name or finding.name,
        "path": without_folders(finding.name),
        "finding": finding,
        "asked": asked(assessment, names),
        "picture": album.add(finding.image, side=PHOTO),
        "verdict": verdict(assessment, names, neurons=finding.neurons),
        "kind": assessment.judgement.verdict,
        "label": in_short(assessment.judgement),
        "top": [Bar(names(label), probability) for label, probability in finding.top],
        "controls": control_rows(assessment.measured.controls),
        "ablations": [COLUMNS[name] for name in assessment.measured.controls],
        "class_verdict": _class_verdict(assessment),
        "class_controls": []
        if assessment.class_measured is None
        else control_rows(assessment.class_measured.controls),
        "caveats": caveats(finding, names),
        "columns": image_columns(
            finding.mask,
            setting.sites,
            None if shared is None else shared.frequency,
            None if shared is None else shared.mask,
        ),
        "stages": stage_row(setting.sites),
        "maps": _maps(finding, album),
        "channels": _channels(finding, names, album, channel_pages),
        **_others(finding, names, album),
    }


def _class_verdict(assessment: Assessment) -> str:
    judgement = assessment.class_judgement
    return "" if judgement is None else in_short(judgement)


def _maps(finding: ImageFinding, album: Album) -> list[tuple[str, Picture]]:
    """Which pixels matter: the picture, and what each map says over it."""
    small = encode.is_small(finding.image)
    plain, through = finding.saliency
    named = (
        ("whole network (plain gradient)", plain),
        ("through the pathway", through),
        *((f"whole network ({MAPS.get(name, name)})", values) for name, values in finding.maps),
    )
    drawn = ((name, encode.heat_over(finding.image, values)) for name, values in named)
    return [
        ("the picture", album.add(finding.image, side=PHOTO)),
        *((name, album.add_drawn(picture, small=small)) for name, picture in drawn),
    ]


def _channels(
    finding: ImageFinding, names: Names, album: Album, channel_pages: ChannelPages
) -> list[dict[str, Any]]:
    # A part of a photograph is one as well, however few pixels it has.
    small = encode.is_small(finding.image)
    return [
        {
            "channel": channel,
            "page": channel_pages.get((channel.site.name, channel.channel), ""),
            "here": album.add(channel.here, side=CROP, small=small),
            "crops": [_shown(crop, names, album, CROP, small=small) for crop in channel.crops],
        }
        for channel in finding.channels
    ]


def _others(finding: ImageFinding, names: Names, album: Album) -> dict[str, Any]:
    """Other pictures: those that the pathway was put on, and those whose pathways are alike."""

    def shown(thumbnail: Thumbnail) -> dict[str, Any]:
        return _shown(thumbnail, names, album, NEIGHBOUR)

    leaks = zip(finding.examples, finding.probabilities, strict=True)
    return {
        "leaks": [(shown(thumbnail), probability) for thumbnail, probability in leaks],
        "same": [(shown(n.thumbnail), n.iou) for n in finding.same],
        "others": [(shown(n.thumbnail), n.iou) for n in finding.others],
    }


def _shown(
    thumbnail: Thumbnail, names: Names, album: Album, side: int, *, small: bool | None = None
) -> dict[str, Any]:
    return {
        "picture": album.add(thumbnail.image, side=side, small=small),
        "name": without_folders(thumbnail.name),
        "predicted": names(thumbnail.predicted),
    }
