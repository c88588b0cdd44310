"""``jaxpath dataset-report``: a data set in, one page out."""

import dataclasses
import time
from pathlib import Path

import numpy as np

from jaxpath import data, metrics, report, targets
from jaxpath.cli.launching import say
from jaxpath.cli.manifest import report_details, write_manifest
from jaxpath.cli.options import (
    ClassifierOptions,
    MethodOptions,
    make_method,
    make_session,
    open_classifier,
    prepare_folder,
    read_class_names,
)
from jaxpath.findings import DataSetFinding, find_data_set, load_pictures
from jaxpath.metrics import Method, Session, source_passes
from jaxpath.pathways import site_arrays, unflatten


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
    classifier: ClassifierOptions
    method: MethodOptions = dataclasses.field(default_factory=MethodOptions)


def run(options: DataSetReport) -> None:
    """Set-up, evaluation, findings, page."""
    began = time.perf_counter()
    source = data.open_source(options.data, split=options.split, data_dir=options.data_dir)
    if options.images is not None:
        source = data.draw(source, options.images, seed=options.method.seed)
    target, params = open_classifier(options.classifier)
    data.check_labels(source, target.num_classes)
    names = read_class_names(options.classifier.class_names, target.num_classes, source)
    prepare_folder(options.out)
    session = make_session(target, params, options.method)
    method = make_method(target, options.method, options.classifier, options.out)

    finding = _evaluate(session, method, source, options)
    np.savez_compressed(
        options.out / "pathways.npz", **finding.records._asdict(), **site_arrays(target.sites)
    )
    weights_hash = targets.weights_hash(options.classifier.weights)
    page = _write(options, session, method, finding, source, names, weights_hash)
    write_manifest(
        options.out,
        weights={"path": options.classifier.weights, "sha256": weights_hash},
        model=target.name,
        method=method.name,
        seed=options.method.seed,
        data=options.data,
        split=options.split,
        images=len(finding.records.labels),
        metrics=dict(finding.metrics),
        seconds=round(time.perf_counter() - began, 1),
    )
    say(f"report: {page} ({time.perf_counter() - began:.0f} s)")


def _evaluate(
    session: Session, method: Method, source: data.Source, options: DataSetReport
) -> DataSetFinding:
    """Explains every image, and puts each pathway on an image of another class."""
    reading = data.Reading(skip_unreadable=options.skip_unreadable)
    explaining, leakage = (
        source_passes(session, source, title=title, reading=reading) for title in ("explaining", "leakage")
    )
    records = metrics.explain_all(session, method, explaining)
    figures = metrics.evaluate_records(session, records, leakage, seed=method.seed)
    return find_data_set(records, figures, seed=method.seed)


def _write(
    options: DataSetReport,
    session: Session,
    method: Method,
    finding: DataSetFinding,
    source: data.Source,
    names: tuple[str, ...],
    weights_hash: str,
) -> Path:
    sites = session.target.sites
    masks = unflatten(finding.records.masks.astype(np.float32), sites)
    figures = options.out / "figures"
    report.save_figure(report.plot_density_per_site(masks, sites), figures / "density_per_site.png")
    labels = [row.label for row in finding.classes]
    figure = report.plot_iou_matrix(finding.matrix, [report.Names(names)(label) for label in labels])
    report.save_figure(figure, figures / "iou_matrix.png")
    places = [int(finding.records.indices[outlier.row]) for outlier in finding.outliers]
    pictures = load_pictures(session, data.Subset(source, places)) if places else None
    setting = report.Setting(
        model=session.target.name,
        sites=sites,
        class_names=names,
        method=method.name,
        details=report_details(options.classifier.weights, weights_hash, options.method.seed),
    )
    html = report.data_set_page(
        finding,
        setting,
        title=f"{Path(options.data).name}{f' ({options.split})' if options.split else ''}",
        thumbnails=[] if pictures is None else list(pictures.images),
        image_names=[] if pictures is None else pictures.names,
    )
    return report.write_page(html, options.out / "data_set.html")
