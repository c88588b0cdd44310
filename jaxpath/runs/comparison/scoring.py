"""Everything about one explainer but its time."""

from typing import Any

from jaxpath import metrics
from jaxpath.metrics import METRICS, InsertionDeletion, Method, Records
from jaxpath.runs.comparison.entries import Entry
from jaxpath.runs.comparison.images import Images, ImageSets
from jaxpath.runs.comparison.options import Comparison

Row = dict[str, Any]
"""What ``results.json`` says about an explainer."""


def score(entry: Entry, sets: ImageSets, options: Comparison) -> Row:
    """Scores one explainer.

    Args:
        entry: The explainer.
        sets: The images.
        options: Densities, and how many images slow explainers take.

    Returns:
        ``num_images``; ``curve``, one row per density; the areas ``insertion`` and ``deletion``;
        ``warnings``, where the classifier is at chance on these images; and ``natural``, the metrics of a
        generator's masks at densities of its own.
    """
    images = sets.of(entry)
    records, areas = _explain(entry, sets, options)
    row = {
        "num_images": len(records[0].labels),
        "curve": [
            {"density": float(density), **_score_cut(cut, images, options)}
            for density, cut in zip(options.densities, records, strict=True)
        ],
        "insertion": float(areas.insertion_area.mean()),
        "deletion": float(areas.deletion_area.mean()),
        "warnings": metrics.chance_warnings(
            records[0].predicted, records[0].labels, images.session.target.num_classes
        ),
    }
    if entry.natural:
        row["natural"] = _score_natural(entry.natural, images)
    return row


def _explain(entry: Entry, sets: ImageSets, options: Comparison) -> tuple[list[Records], InsertionDeletion]:
    """Records per density and the curves of the few images; a slow explainer explains each image once."""
    session, passes, _ = sets.of(entry)
    if entry.slow:
        records, areas = metrics.explain_once(
            session, entry.method, passes, densities=options.densities, fractions=metrics.FRACTIONS
        )
        assert areas is not None
        return records, areas
    records = metrics.explain_at_densities(session, entry.method, passes, densities=options.densities)
    return records, metrics.insertion_deletion(sets.few.session, entry.method, sets.few.passes)


def _score_cut(records: Records, images: Images, options: Comparison) -> Row:
    """The metrics at one density, an interval of fidelity over images, and the drop on the few images."""
    figures = metrics.evaluate_records(images.session, records, images.passes, seed=options.seed)
    agree = (records.masked_predicted == records.predicted).astype(float)
    interval = metrics.image_interval(agree, seed=options.seed)
    searched = records.indices < options.search_images
    return {
        **metrics.at_densities(figures),
        "fidelity_low": interval.low,
        "fidelity_high": interval.high,
        "mdc_searched": metrics.mean_drop(
            records.clean_confidence[searched], records.masked_confidence[searched]
        ),
    }


def _score_natural(method: Method, images: Images) -> Row:
    records = metrics.explain_all(images.session, method, images.passes)
    figures = metrics.evaluate_records(images.session, records, images.passes, seed=method.seed)
    names = (*(metric.name for metric in METRICS), "collapsed_sites")
    return {name: figures[name] for name in names if name in figures}
