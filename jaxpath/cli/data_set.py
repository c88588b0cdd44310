"""``jaxpath dataset-report``: a data set in, one page out."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxpath import data, metrics, report
from jaxpath.caches import forget_unfinished, unfinished
from jaxpath.cli.closing import Given
from jaxpath.cli.commands import DataSetReport
from jaxpath.cli.leaving import rows_of, write_results
from jaxpath.cli.limits import end_beyond
from jaxpath.cli.opening import (
    as_held,
    draw_pictures,
    fit_pictures,
    names_to_show,
    open_classifier,
    read_class_names,
)
from jaxpath.cli.workplace import Workplace, set_up, warn_of_chance
from jaxpath.files import write_arrays
from jaxpath.fills import as_one_program
from jaxpath.findings import (
    Assessment,
    Conditions,
    DataSetFinding,
    assess,
    find_data_set,
    kept_survey,
    load_pictures,
    others_for,
)
from jaxpath.metrics import Records
from jaxpath.pathways import site_arrays, unflatten
from jaxpath.runs import say


def run(options: DataSetReport) -> None:
    """Set-up, evaluation, findings, page."""
    began = time.perf_counter()
    source = data.open_source(options.data, split=options.split, data_dir=options.data_dir)
    source = as_held(source, options.classifier)
    net = open_classifier(options.classifier)
    target = net.target
    names = read_class_names(options.classifier.class_names, target.num_classes, net.class_names)
    source = fit_pictures(source, target.num_classes, names, labels_needed=True)
    source = draw_pictures(source, options.images, seed=options.method.seed)
    workplace = set_up(
        net,
        options.classifier,
        options.method,
        out=options.out,
        class_names=names_to_show(names, target.num_classes, source),
        began=began,
        pictures=Given(source, options.data),
    )
    finding = _evaluate(options, workplace, source)
    arrays = {**finding.records._asdict(), **site_arrays(target.sites)}
    write_arrays(options.out / "pathways.npz", arrays)
    warnings = warn_of_chance(target, source, finding.records.predicted, finding.records.labels)
    page = _write(options, workplace, finding, source, warnings)
    workplace.write_manifest(
        data=options.data,
        split=options.split,
        images=len(finding.records.labels),
        left_out_files=[row._asdict() for row in source.left_out],
        metrics=dict(finding.metrics),
        warnings=warnings,
    )
    summary = {
        "images": len(finding.records.labels),
        **{name: dict(under) for name, under in finding.under.items()},
    }
    results = write_results(
        workplace,
        finding.assessments,
        summary,
        data=options.data,
        split=options.split,
        warnings=warnings,
        rows=rows_of(workplace, finding.records, source),
    )
    forget_unfinished(options.out)
    say(report.verdict_of_many(finding.assessments))
    say(f"report: {page} ({workplace.seconds:.0f} s)")
    end_beyond(options.fail_if, results["summary"])


def _evaluate(options: DataSetReport, workplace: Workplace, source: data.Source) -> DataSetFinding:
    """Explains every image, puts each pathway on other images under every ablation, and some to the test."""
    session, method = workplace.session, workplace.method
    reading = data.Reading(skip_unreadable=options.skip_unreadable)

    def passes(title: str) -> metrics.Passes:
        return metrics.source_passes(session, source, title=title, reading=reading)

    records = metrics.explain_all(session, method, passes("explaining"))
    panel = metrics.make_panel(session, passes("panel"), records.indices)
    under: dict[str, dict[str, Any]] = {}
    evidence = None
    for name, fill in as_one_program(workplace.fills).items():
        filled, pass_ = session._replace(fill=fill), passes(f"other images ({name})")
        if evidence is None:
            evidence = metrics.gather_evidence(filled, records, pass_, seed=method.seed, panel=panel)
            found = evidence
        else:
            found = metrics.gather_under(filled, evidence, pass_, panel=panel, seed=method.seed)
        under[name] = metrics.figures_of(found)
    figures = {**next(iter(under.values())), **metrics.describe_sites(session, records)}
    assessments = _assess_some(options, workplace, source, records)
    return find_data_set(records, figures, under=under, assessments=assessments, seed=method.seed)


def _assess_some(
    options: DataSetReport, workplace: Workplace, source: data.Source, records: Records
) -> list[Assessment]:
    """What may be concluded about some of the images."""
    order = np.random.default_rng(options.method.seed).permutation(records.indices)[: options.controls]
    if not len(order):
        return []
    pictures = load_pictures(workplace.session, data.Subset(source, np.sort(order)))
    folder = unfinished(options.out)
    surveyed = kept_survey(
        workplace.session, workplace.method, pictures, identity=workplace.identity, folder=folder
    )
    others = others_for(pictures, surveyed, None)
    conditions = Conditions(workplace.fills, others, seed=options.method.seed)
    return assess(workplace.session, pictures, surveyed, conditions, folder=folder)


def _write(
    options: DataSetReport,
    workplace: Workplace,
    finding: DataSetFinding,
    source: data.Source,
    warnings: Sequence[str],
) -> Path:
    sites = workplace.target.sites
    masks = unflatten(finding.records.masks.astype(np.float32), sites)
    figures = options.out / "figures"
    report.save_figure(report.plot_density_per_site(masks, sites), figures / "density_per_site.png")
    names = [report.Names(workplace.class_names)(row.label) for row in finding.classes]
    report.save_figure(report.plot_iou_matrix(finding.matrix, names), figures / "iou_matrix.png")
    places = [int(finding.records.indices[outlier.row]) for outlier in finding.outliers]
    pictures = load_pictures(workplace.session, data.Subset(source, places)) if places else None
    html = report.data_set_page(
        finding,
        workplace.setting(warnings=warnings),
        title=f"{Path(options.data).name}{f' ({options.split})' if options.split else ''}",
        thumbnails=[] if pictures is None else list(pictures.images),
        image_names=[] if pictures is None else pictures.names,
    )
    return report.write_page(html, options.out / "data_set.html")
