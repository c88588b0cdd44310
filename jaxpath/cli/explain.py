"""``jaxpath explain``: pictures in, a report out."""

import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tyro

from jaxpath import data, report, targets
from jaxpath.cli.launching import say
from jaxpath.cli.manifest import report_details, write_manifest
from jaxpath.cli.options import (
    ClassifierOptions,
    MethodOptions,
    make_method,
    make_session,
    open_classifier,
    open_pictures,
    prepare_folder,
    read_class_names,
)
from jaxpath.findings import (
    ClassPathways,
    Context,
    ImageFinding,
    Pictures,
    Reference,
    Survey,
    find_images,
    join_pictures,
    join_surveys,
    learn_class_pathways,
    load_class_pathways,
    load_pictures,
    load_reference,
    load_words,
    survey,
)
from jaxpath.metrics import Method, Session
from jaxpath.pathways import site_arrays, unflatten
from jaxpath.types import Target

_LEAST_FOR_A_CLASS = 5
"""Reference images of a class that make a class pathway where none was given."""

_PER_FIGURE = 8

_BLOCK = 256
"""Pictures in memory at once."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Explain:
    """Explains pictures by the channels that carry the classifier's decision, in one HTML report.

    jaxpath explain cat.jpg --weights resnet18.safetensors --class-names names.json --out report

    With --reference FOLDER (pictures, best in class folders) the report also shows what excites each
    channel, pictures with similar pathways, and what the pathway makes of pictures of other classes.

    Attributes:
        images: Picture files, and folders of them.
        out: Folder of report.html, figures/, pathway.npz and manifest.json.
        reference: Pictures to compare with: a folder, an .npz file, or another form of data set.
        class_pathways: The class_pathways.npz of jaxpath class-pathway, drawn beside each picture's own.
        words: What channels stand for: .json or .npz, words per site and channel.
        details: How many pictures are shown in full; the list and pathway.npz hold all.
        skip_unreadable: Pass over files that are no pictures.
    """

    images: tyro.conf.Positional[tuple[Path, ...]]
    out: Path
    reference: str | None = None
    class_pathways: Path | None = None
    words: Path | None = None
    details: int = 40
    skip_unreadable: bool = False
    classifier: ClassifierOptions
    method: MethodOptions = dataclasses.field(default_factory=MethodOptions)


def run(options: Explain) -> None:
    """Set-up, survey, findings, report."""
    began = time.perf_counter()
    source = data.image_files(options.images)
    reference_source = None if options.reference is None else open_pictures(options.reference)
    target, params = open_classifier(options.classifier)
    words = None if options.words is None else load_words(options.words, target.sites)
    names = read_class_names(options.classifier.class_names, target.num_classes, reference_source)
    given = None if options.class_pathways is None else load_class_pathways(options.class_pathways, target)
    prepare_folder(options.out)
    session = make_session(target, params, options.method)
    method = make_method(target, options.method, options.classifier, options.out)

    names_found, pictures, found = _survey_all(session, method, source, options)
    part = found.take(np.arange(len(pictures.names)))
    weights_hash = targets.weights_hash(options.classifier.weights)
    reference = None
    if reference_source is not None:
        classes = set(part.records.predicted.tolist())
        reference = load_reference(session, method, reference_source, classes, identity=weights_hash)
    class_pathways = given or _from_reference(reference, target, names, method)
    context = Context(reference, class_pathways, words)
    findings = find_images(session, pictures, part, context=context, seed=method.seed)
    _write_pathways(options.out, target, names_found, found)
    _draw(options.out, target, findings, names)
    write_manifest(
        options.out,
        weights={"path": options.classifier.weights, "sha256": weights_hash},
        model=target.name,
        method=method.name,
        seed=options.method.seed,
        pictures=list(names_found),
        unreadable=len(source) - len(names_found),
        reference=options.reference,
        seconds=round(time.perf_counter() - began, 1),
    )
    count = 0 if reference is None else len(reference.pictures.names)
    setting = report.Setting(
        model=target.name,
        sites=target.sites,
        class_names=names,
        method=method.name,
        reference=f"{count} pictures of {options.reference}" if count else "",
        details=report_details(options.classifier.weights, weights_hash, options.method.seed),
    )
    rows = _overview(names_found, found, len(findings))
    report.write_page(report.image_page(findings, setting, overview=rows), options.out / "report.html")
    _tell(options.out, found, findings, names, seconds=time.perf_counter() - began)


def _survey_all(
    session: Session, method: Method, source: data.Source, options: Explain
) -> tuple[tuple[str, ...], Pictures, Survey]:
    """Names and survey of all pictures, and the pictures themselves of those that are shown in full."""
    names: list[str] = []
    shown: list[Pictures] = []
    found: list[Survey] = []
    for start in range(0, len(source), _BLOCK):
        block = data.Subset(source, np.arange(start, min(start + _BLOCK, len(source))))
        pictures = load_pictures(session, block, skip_unreadable=options.skip_unreadable)
        found.append(survey(session, method, pictures))
        shown.append(pictures.take(range(min(len(pictures.names), max(options.details - len(names), 0)))))
        names += pictures.names
    return tuple(names), join_pictures(shown), join_surveys(found)


def _from_reference(
    reference: Reference | None, target: Target, names: tuple[str, ...], method: Method
) -> ClassPathways | None:
    """The class pathways that the reference gives, of the classes that it holds enough pictures of."""
    if reference is None:
        return None
    return learn_class_pathways(
        reference.survey.records,
        target.num_classes,
        least=_LEAST_FOR_A_CLASS,
        class_names=names,
        method=method.name,
    )


def _write_pathways(out: Path, target: Target, names: Sequence[str], found: Survey) -> None:
    """Writes ``pathway.npz``: every picture's record and scores, the sites, the names."""
    np.savez_compressed(
        out / "pathway.npz",
        **found.records._asdict(),
        scores=found.scores,
        logits=found.logits,
        names=np.array(names, np.str_),
        **site_arrays(target.sites),
    )


def _draw(out: Path, target: Target, findings: Sequence[ImageFinding], names: tuple[str, ...]) -> None:
    """The pathways as PNG figures, eight pictures each, and every picture's saliency."""
    for start in range(0, len(findings), _PER_FIGURE):
        group = findings[start : start + _PER_FIGURE]
        figure = report.plot_pathways(
            np.stack([f.image for f in group]),
            unflatten(np.stack([f.mask for f in group]).astype(np.float32), target.sites),
            target.sites,
            labels=[f.predicted if f.label < 0 else f.label for f in group],
            predictions=[f.predicted for f in group],
            clean=[f.confidence.clean for f in group],
            masked=[f.confidence.pathway for f in group],
            class_names=[names[c] if c < len(names) else str(c) for c in range(target.num_classes)],
            title="Pathways",
        )
        report.save_figure(figure, out / "figures" / f"pathways-{start // _PER_FIGURE + 1}.png")
    for number, finding in enumerate(findings, 1):
        report.save_saliency(finding.image, finding.saliency, out / "figures" / f"saliency-{number}.png")


def _overview(names: Sequence[str], found: Survey, num_shown: int) -> list[report.OverviewRow]:
    """A row for every picture; those shown in full have an anchor."""
    records = found.records
    return [
        report.OverviewRow(
            name=name,
            predicted=int(records.predicted[i]),
            clean=float(records.clean_confidence[i]),
            masked_predicted=int(records.masked_predicted[i]),
            masked=float(records.masked_confidence[i]),
            density=float(records.unit_density[i]),
            anchor=f"picture-{i + 1}" if i < num_shown else "",
        )
        for i, name in enumerate(names)
    ]


def _tell(
    out: Path, found: Survey, findings: Sequence[ImageFinding], names: tuple[str, ...], *, seconds: float
) -> None:
    for finding in findings[:5]:
        say(f"{finding.name}: {report.verdict(finding, report.Names(names))}")
    more = len(found.logits) - min(5, len(findings))
    if more:
        say(f"and {more} more")
    say(f"report: {out / 'report.html'} ({seconds:.0f} s)")
