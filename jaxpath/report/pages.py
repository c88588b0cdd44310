"""Pages of HTML: one file each, without scripts, that loads nothing and escapes every name.

Templates are Jinja's with autoescape; no value is ever marked as safe.
"""

import itertools
from collections.abc import Sequence
from pathlib import Path, PurePath
from typing import Any, NamedTuple

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from jaxpath.files import write_text
from jaxpath.findings.assessing import Assessment
from jaxpath.findings.data_set import DataSetFinding
from jaxpath.findings.facts import ImageFinding, Thumbnail
from jaxpath.findings.profiles import ChannelProfile, Excitation
from jaxpath.findings.wording import ClassWords
from jaxpath.naming import without_folders
from jaxpath.report import encode
from jaxpath.report.charts import Bar, density_bars, histogram_bins, map_points, matrix_cells, matrix_uri
from jaxpath.report.columns import data_set_columns, image_columns, stage_row
from jaxpath.report.conclusions import (
    COLUMNS,
    asked,
    caveats,
    control_rows,
    label_of,
    verdict,
    verdict_of_many,
)
from jaxpath.report.sentences import Caveat, Names, ablation_rows, data_set_caveats, data_set_facts
from jaxpath.report.style import SERIES, number, percent
from jaxpath.types import Site

CROP = 88
_NEIGHBOUR = 112
PHOTO = 320
"""Sides of pictures, in pixels."""


class Setting(NamedTuple):
    """What a page says about how it was made.

    Attributes:
        model: Name of the classifier.
        sites: Its sites, in forward order.
        class_names: Names of the classes, as far as they are known; empty: numbers.
        method: How the pathways were found.
        reference: What pictures are compared with, in words; empty if with nothing.
        caveats: What to know before anything else on the page is trusted.
        details: Further lines of the footer, such as versions: (name, value).
    """

    model: str
    sites: Sequence[Site]
    class_names: Sequence[str]
    method: str
    reference: str = ""
    details: Sequence[tuple[str, str]] = ()
    caveats: Sequence[Caveat] = ()


class OverviewRow(NamedTuple):
    """A picture in the list at the top of a page.

    Attributes:
        assessment: What may be concluded about it.
        anchor: Where on the page its details are; empty if they are not.
    """

    assessment: Assessment
    anchor: str


def image_page(
    findings: Sequence[ImageFinding], setting: Setting, *, overview: Sequence[OverviewRow] = ()
) -> str:
    """The report on pictures, as HTML.

    Args:
        findings: One for each picture that is shown in full.
        setting: How they were made.
        overview: One row for every picture, also those that are not shown in full.
    """
    names = Names(setting.class_names)
    return render(
        "images.html",
        setting=setting,
        articles=[_article(number, f, setting, names) for number, f in enumerate(findings, 1)],
        overview=_shortened(overview) if len(overview) > 1 else (),
        ablations=_ablations(findings, overview),
        count=len(overview) or len(findings),
        total=sum(site.channels for site in setting.sites),
        names=names,
        words_tested=any(c.words.chance is not None for f in findings for c in f.channels),
    )


def _ablations(findings: Sequence[ImageFinding], overview: Sequence[OverviewRow]) -> list[str]:
    """The ablations under which everything on a page was measured."""
    assessments = [*(row.assessment for row in overview), *(f.assessment for f in findings)]
    return list(assessments[0].measured.controls) if assessments else []


def data_set_page(
    finding: DataSetFinding,
    setting: Setting,
    *,
    title: str,
    thumbnails: Sequence[np.ndarray],
    image_names: Sequence[str],
) -> str:
    """The report on a data set, as HTML.

    Args:
        finding: The pathways.
        setting: How they were made.
        title: What to call the data set.
        thumbnails: The picture of each outlier, uint8 [H, W, C].
        image_names: The name of each outlier.
    """
    names = Names(setting.class_names)
    labels = [row.label for row in finding.classes]
    return render(
        "data_set.html",
        setting=setting,
        title=title,
        finding=finding,
        metrics=finding.metrics,
        verdict=verdict_of_many(finding.assessments) if finding.assessments else "",
        ablations=[COLUMNS[name] for name in finding.under],
        figures=ablation_rows(finding.under),
        facts=data_set_facts(finding.metrics),
        caveats=[*setting.caveats, *data_set_caveats(finding)],
        names=names,
        columns=data_set_columns(finding.records.masks, setting.sites),
        stages=stage_row(setting.sites),
        densities=density_bars(finding.records.unit_density),
        matrix=matrix_cells(finding.matrix),
        matrix_uri=matrix_uri(finding.matrix),
        points=map_points(finding, [names(label) for label in labels]),
        colours=SERIES,
        outliers=[
            (outlier, finding.records, picture_of(image, _NEIGHBOUR), name)
            for outlier, image, name in zip(finding.outliers, thumbnails, image_names, strict=True)
        ],
        total=sum(site.channels for site in setting.sites),
    )


def class_words_page(described: Sequence[ClassWords], setting: Setting, *, total: int) -> str:
    """The pathways of classes in words, as HTML.

    Args:
        described: The classes.
        setting: How their pathways were learned.
        total: Channels that have words.
    """
    return render(
        "class_words.html",
        setting=setting,
        described=described,
        names=Names(setting.class_names),
        total=total,
    )


def channel_page(profile: ChannelProfile, setting: Setting) -> str:
    """What one channel does, as HTML.

    Args:
        profile: The channel, from :func:`jaxpath.findings.profiles.profile_channel`.
        setting: How it was made.
    """
    names = Names(setting.class_names)

    def shown(rows: Sequence[Excitation]) -> list[dict[str, Any]]:
        return [
            {
                "picture": picture_of(row.picture.image, _NEIGHBOUR),
                "part": picture_of(row.part.image, _NEIGHBOUR),
                "name": row.picture.name,
                "response": row.response,
                "predicted": names(row.picture.predicted),
            }
            for row in rows
        ]

    return render(
        "channel.html",
        setting=setting,
        p=profile,
        bins=histogram_bins(profile.counts, profile.edges),
        strongest=shown(profile.strongest),
        random=shown(profile.random),
        names=names,
    )


def write_page(html: str, path: str | Path) -> Path:
    """Writes a page; makes its folder."""
    path = Path(path)
    write_text(path, html)
    return path


def render(template: str, **values: Any) -> str:
    """A template with its values, all of them escaped."""
    environment = Environment(
        loader=PackageLoader("jaxpath.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = percent
    environment.filters["number"] = number
    return environment.get_template(template).render(**values)


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
            "verdict": label_of(row.assessment.judgement.verdict, weak=row.assessment.judgement.weak),
            "alone": [each.alone.probability for each in row.assessment.measured.controls.values()],
        }
        for row, names in zip(rows, parts, strict=True)
    ]


def _article(number: int, finding: ImageFinding, setting: Setting, names: Names) -> dict[str, Any]:
    shared, assessment = finding.class_pathway, finding.assessment
    plain, through = (encode.heat_over(finding.image, part) for part in finding.saliency)
    exact = encode.is_small(finding.image)
    return {
        "anchor": f"picture-{number}",
        "title": PurePath(finding.name).name or finding.name,
        "path": without_folders(finding.name),
        "finding": finding,
        "asked": asked(assessment, names),
        "picture": picture_of(finding.image, PHOTO),
        "small": exact,
        "verdict": verdict(assessment, names, neurons=finding.neurons),
        "kind": assessment.judgement.verdict,
        "label": label_of(assessment.judgement.verdict, weak=assessment.judgement.weak),
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
        "plain": encode.image_uri(plain, exact=exact),
        "through": encode.image_uri(through, exact=exact),
        "channels": [
            {
                "channel": channel,
                "here": picture_of(channel.here, CROP),
                "crops": [_shown(crop, names, CROP) for crop in channel.crops],
            }
            for channel in finding.channels
        ],
        "leaks": [
            (_shown(thumbnail, names, _NEIGHBOUR), probability)
            for thumbnail, probability in zip(finding.examples, finding.probabilities, strict=True)
        ],
        "same": [(_shown(n.thumbnail, names, _NEIGHBOUR), n.iou) for n in finding.same],
        "others": [(_shown(n.thumbnail, names, _NEIGHBOUR), n.iou) for n in finding.others],
    }


def _class_verdict(assessment: Assessment) -> str:
    judgement = assessment.class_judgement
    return "" if judgement is None else label_of(judgement.verdict, weak=judgement.weak)


def picture_of(image: np.ndarray, side: int) -> dict[str, Any]:
    """A picture for the macro ``image``."""
    return {"uri": encode.picture_uri(image, side=side), "small": encode.is_small(image)}


def _shown(thumbnail: Thumbnail, names: Names, side: int) -> dict[str, Any]:
    return {
        **picture_of(thumbnail.image, side),
        "name": without_folders(thumbnail.name),
        "predicted": names(thumbnail.predicted),
    }
