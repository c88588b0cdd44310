"""Parts of pages as HTML, for a page that changes while it is read; every name is escaped."""

from collections.abc import Mapping, Sequence

import numpy as np

from jaxpath.findings import Assessment, Control, Controls
from jaxpath.pathways import unflatten
from jaxpath.report import encode
from jaxpath.report.charts import Bar
from jaxpath.report.columns import stage_row
from jaxpath.report.conclusions import COLUMNS, control_rows, in_short, verdict
from jaxpath.report.pages import PHOTO, render
from jaxpath.report.sentences import Names
from jaxpath.types import Site


def style() -> str:
    """The style sheet of all pages."""
    return render("style.css")


def predictions(top: Sequence[tuple[int, float]], names: Names) -> str:
    """Bars of the most probable classes: (class, probability), the most probable first."""
    return render("fragments/bars.html", rows=[Bar(names(label), value) for label, value in top])


def control_table(controls: Mapping[str, Controls]) -> str:
    """The controls that were measured, a column for each ablation."""
    return render(
        "fragments/controls.html",
        rows=control_rows(controls),
        ablations=[COLUMNS[name] for name in controls],
    )


def verdict_of(assessment: Assessment, names: Names) -> str:
    """What may be concluded, in a few words and in full."""
    judgement = assessment.judgement
    return render(
        "fragments/verdict.html",
        kind=judgement.verdict,
        label=in_short(judgement),
        sentence=verdict(assessment, names),
    )


def random_lines(rows: Sequence[tuple[str, float, Control]]) -> str:
    """Channels closed by hand beside as many random ones.

    Args:
        rows: An ablation in words, the probability with those closed, and with random ones closed.
    """
    return render("fragments/random.html", rows=rows)


def explainers(rows: Sequence[tuple[str, float, Mapping[str, Controls]]]) -> str:
    """Several explainers of one picture: name, IoU with the one that is shown, controls by ablation."""
    return render(
        "fragments/explainers.html",
        ablations=[COLUMNS[name] for name in rows[0][2]] if rows else [],
        rows=[(name, iou, list(controls.values())) for name, iou, controls in rows],
    )


def thumbnails(rows: Sequence[tuple[str, str]], chosen: int | None, *, small: bool) -> str:
    """Pictures as buttons; ``data-picture`` is the place.

    Args:
        rows: Each picture as the source of an ``img``, and what the classifier says of it.
        chosen: The place of the one that is shown; None: none of them.
        small: Whether pixels are shown as squares.
    """
    return render("fragments/thumbnails.html", rows=rows, chosen=chosen, small=small)


def saliency_maps(image: np.ndarray, maps: np.ndarray, *, small: bool) -> str:
    """Which pixels matter, [2, H, W]: in the whole network and through the pathway."""
    named = zip(("in the whole network", "through the pathway"), maps, strict=True)
    rows = [(encode.image_uri(encode.heat_over(image, values), exact=small), name) for name, values in named]
    return render("fragments/maps.html", rows=rows, small=small)


def site_buttons(mask: np.ndarray, sites: Sequence[Site], chosen: int) -> str:
    """The sites as buttons whose bars show the share of open channels; ``data-site`` is the position.

    Args:
        mask: The pathway, bool [N].
        sites: The target's.
        chosen: The position of the site whose channels are shown.
    """
    masks = unflatten(mask, sites)
    columns = [
        {"name": site.name, "channels": site.channels, "open": int(masks[site.name].sum())} for site in sites
    ]
    return render("fragments/sites.html", columns=columns, chosen=chosen, stages=stage_row(sites))


def channel_buttons(mask: np.ndarray, start: np.ndarray, scores: np.ndarray) -> str:
    """The channels of a site as buttons; ``data-channel`` is the number.

    Args:
        mask: Which are open, bool [C].
        start: Which were before any was turned by hand, bool [C].
        scores: Their scores, [C].
    """
    rows = [
        {"open": bool(now), "turned": bool(now != before), "score": float(score)}
        for now, before, score in zip(mask, start, scores, strict=True)
    ]
    return render("fragments/channels.html", rows=rows)


def picture_uri(image: np.ndarray, *, side: int = PHOTO) -> str:
    """uint8 [H, W, C] as the source of an ``img``."""
    return encode.image_uri(encode.as_picture(image, side=side), exact=encode.is_small(image))
