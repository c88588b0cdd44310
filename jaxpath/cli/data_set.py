"""``jaxpath dataset-report``: a data set in, one page out."""

import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from jaxpath import data, metrics, report
from jaxpath.cli.opening import (
    as_held,
    draw_pictures,
    fit_pictures,
    names_to_show,
    open_classifier,
    read_class_names,
)
from jaxpath.cli.options import MethodOptions, TargetOptions
from jaxpath.cli.workplace import Workplace, set_up, warn_of_chance
from jaxpath.files import write_arrays
from jaxpath.findings import DataSetFinding, find_data_set, load_pictures
from jaxpath.pathways import site_arrays, unflatten
from jaxpath.runs import say


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataSetReport:
    """Explains a labelled data set: how alike pathways are within classes, how dense, which are unusual.

    jaxpath dataset-report --data cifar10.npz --split test --weights resnet20.safetensors --out report

    Attributes:
        data: digits, npz:FILE, folder:PATH, tar:FILE or tfds:NAME; a path alone is enough.
        out: Folder of data_set.html, figures/, pathways.npz and manifest.json.
        split: Split to take; None takes train where there are splits, otherwise all.
        data_dir: Where TFDS data sets are prepared.
        images: Explains so many images, drawn by the seed; None takes all.
        skip_unreadable: Pass over files that are no pictures.
    """

    data: str
    out: Path
    split: str | None = None
    data_dir: str | None = None
    images: int | None = None
    skip_unreadable: bool = False
    classifier: TargetOptions
    method: MethodOptions = dataclasses.field(default_factory=MethodOptions)


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
        others=source,
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
    say(f"report: {page} ({workplace.seconds:.0f} s)")


def _evaluate(options: DataSetReport, workplace: Workplace, source: data.Source) -> DataSetFinding:
    """Explains every image, and puts each pathway on an image of another class."""
    session, method = workplace.session, workplace.method
    reading = data.Reading(skip_unreadable=options.skip_unreadable)
    explaining, leakage = (
        metrics.source_passes(session, source, title=title, reading=reading)
        for title in ("explaining", "leakage")
    )
    records = metrics.explain_all(session, method, explaining)
    figures = metrics.evaluate_records(session, records, leakage, seed=method.seed)
    return find_data_set(records, figures, seed=method.seed)


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
