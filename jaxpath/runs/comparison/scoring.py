"""Everything about one explainer but its time."""

from collections.abc import Iterator
from typing import Any

import numpy as np

from jaxpath import metrics
from jaxpath.fills import Ablation
from jaxpath.metrics import METRICS, Evidence, InsertionDeletion, Records
from jaxpath.runs.comparison.entries import Entry
from jaxpath.runs.comparison.images import Images, ImageSets
from jaxpath.runs.comparison.options import Comparison

Row = dict[str, Any]
"""What ``results.json`` says about an explainer."""

ABLATED = metrics.metric_names(lambda metric: metric.ablated)
"""Metrics that are given under every ablation."""


def score(entry: Entry, sets: ImageSets, options: Comparison) -> Row:
    """Scores one explainer.

    Args:
        entry: The explainer.
        sets: The images.
        options: Densities, and how many images slow explainers take.

    Returns:
        ``num_images``; ``curve``, one row per density; the areas ``insertion`` and ``deletion``;
        ``warnings``, where the classifier is at chance on these images; and ``natural``, the metrics of a
        generator's masks at densities of its own. The figures are those under the first ablation;
        ``ablations`` has those of all by its name, with 95 % intervals over images from ``NAME_low`` to
        ``NAME_high``, and ``worst_fidelity`` is the smallest of theirs; they rest on ``num_tried`` images.
    """
    images = sets.of(entry)
    records, areas = _explain(entry, sets, options)
    row = {
        "num_images": len(records[0].labels),
        "num_tried": len(images.trial.rows),
        "curve": [
            {"density": float(density), **_score_cut(cut, images, sets, options)}
            for density, cut in zip(options.densities, records, strict=True)
        ],
        "insertion": float(areas.insertion_area.mean()),
        "deletion": float(areas.deletion_area.mean()),
        "warnings": metrics.chance_warnings(
            records[0].predicted, records[0].labels, images.session.target.num_classes
        ),
    }
    if entry.natural:
        natural = metrics.explain_all(images.session, entry.natural, images.passes)
        row["natural"] = _score_natural(natural, images, sets, options)
    return row


def _explain(entry: Entry, sets: ImageSets, options: Comparison) -> tuple[list[Records], InsertionDeletion]:
    """Records per density and the curves of the few images; a slow explainer explains each image once."""
    images = sets.of(entry)
    if entry.slow:
        records, areas = metrics.explain_once(
            images.session,
            entry.method,
            images.passes,
            densities=options.densities,
            fractions=metrics.FRACTIONS,
        )
        assert areas is not None
        return records, areas
    records = metrics.explain_at_densities(
        images.session, entry.method, images.passes, densities=options.densities
    )
    return records, metrics.insertion_deletion(sets.few.session, entry.method, sets.few.passes)


def _score_cut(records: Records, images: Images, sets: ImageSets, options: Comparison) -> Row:
    """The metrics at one density, an interval of fidelity over images, and the drop on the few images."""
    evidence = dict(_under_all(records, images, sets, seed=options.seed))
    whole = metrics.without_trials(images.session, records)
    figures = {**metrics.figures_of(evidence[options.ablations[0]]), **metrics.figures_of(whole)}
    # Of a single image there is none.
    interval = metrics.intervals_of(whole, seed=options.seed).get("fidelity")
    searched = sets.searched(records)
    return {
        **metrics.at_densities(figures),
        **({} if interval is None else {"fidelity_low": interval.low, "fidelity_high": interval.high}),
        "mdc_searched": metrics.mean_drop(
            records.clean_confidence[searched], records.masked_confidence[searched]
        ),
        **_by_ablation(evidence, seed=options.seed),
    }


def _score_natural(records: Records, images: Images, sets: ImageSets, options: Comparison) -> Row:
    evidence = dict(_under_all(records, images, sets, seed=options.seed))
    tried = metrics.figures_of(evidence[options.ablations[0]])
    both = {**tried, **metrics.figures_of(metrics.without_trials(images.session, records))}
    sites = metrics.describe_sites(images.session, records)
    figures = {metric.name: both[metric.name] for metric in METRICS if metric.name in both}
    collapsed = {"collapsed_sites": sites["collapsed_sites"]}
    return {**figures, **collapsed, **_by_ablation(evidence, seed=options.seed)}


def _under_all(
    records: Records, images: Images, sets: ImageSets, *, seed: int
) -> Iterator[tuple[Ablation, Evidence]]:
    """The evidence of the tried pathways under each ablation; ``records`` were made under the first."""
    trial, evidence = images.trial, None
    part = records.only(np.flatnonzero(np.isin(records.indices, trial.rows)))
    for name, fill in sets.fills.items():
        session = trial.session._replace(fill=fill)
        if evidence is None:
            evidence = metrics.gather_evidence(session, part, trial.passes, seed=seed, panel=trial.panel)
        else:
            evidence = metrics.gather_under(session, evidence, trial.passes, seed=seed, panel=trial.panel)
        yield name, evidence


def _by_ablation(evidence: dict[Ablation, Evidence], *, seed: int) -> Row:
    """Every figure that depends on the ablation, under each, with its interval; and the smallest fidelity."""
    ablations: dict[Ablation, Row] = {}
    for name, one in evidence.items():
        figures, intervals = metrics.figures_of(one), metrics.intervals_of(one, seed=seed)
        ablations[name] = {}
        for metric in ABLATED:
            if metric in figures:
                ablations[name][metric] = figures[metric]
            if metric in intervals:
                low, high = intervals[metric].low, intervals[metric].high
                ablations[name] |= {f"{metric}_low": low, f"{metric}_high": high}
    worst = min(row["fidelity"] for row in ablations.values())
    return {"worst_fidelity": worst, "ablations": ablations}
