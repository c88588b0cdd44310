"""Pages of HTML: one file each, without scripts, that loads nothing and escapes every name.

Templates are Jinja's with autoescape; no value is ever marked as safe.
"""

import functools
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from jaxpath.files import write_text
from jaxpath.findings.data_set import DataSetFinding
from jaxpath.findings.profiles import ChannelProfile, Excitation
from jaxpath.findings.wording import ClassWords
from jaxpath.naming import without_folders
from jaxpath.report import encode
from jaxpath.report.album import Album
from jaxpath.report.charts import density_bars, histogram_bins, map_points, matrix_cells, matrix_uri
from jaxpath.report.columns import data_set_columns, stage_row
from jaxpath.report.conclusions import COLUMNS, verdict_of_many
from jaxpath.report.sentences import Caveat, Names, ablation_rows, data_set_caveats, data_set_facts
from jaxpath.report.style import SERIES, number, percent
from jaxpath.types import Site

CROP = 88
NEIGHBOUR = 88
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
    names, album = Names(setting.class_names), Album()
    labels = [row.label for row in finding.classes]
    return render(
        "data_set.html",
        album=album,
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
            (outlier, finding.records, album.add(image, side=NEIGHBOUR), without_folders(name))
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
        album=Album(),
        setting=setting,
        described=described,
        names=Names(setting.class_names),
        total=total,
    )


def channel_page(
    profile: ChannelProfile,
    setting: Setting,
    *,
    back: str = "",
    pages: Mapping[tuple[str, int], str] | None = None,
) -> str:
    """What one channel does, as HTML.

    Args:
        profile: The channel, from :func:`jaxpath.findings.profiles.profile_channel`.
        setting: How it was made.
        back: The report that it belongs to, as seen from the page; empty: to none.
        pages: Name of a site and number of a channel -> the page of that channel, as seen from this one.
    """
    names, album = Names(setting.class_names), Album()

    def shown(rows: Sequence[Excitation]) -> list[dict[str, Any]]:
        return [
            {
                "picture": album.add(row.picture.image, side=NEIGHBOUR),
                "part": album.add(row.part.image, side=NEIGHBOUR, small=encode.is_small(row.picture.image)),
                "name": without_folders(row.picture.name),
                "response": row.response,
                "predicted": names(row.picture.predicted),
            }
            for row in rows
        ]

    return render(
        "channel.html",
        album=album,
        back=back,
        pages=pages or {},
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
    return _environment().get_template(template).render(**values)


@functools.cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("jaxpath.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = percent
    environment.filters["number"] = number
    return environment
