"""``jaxpath explain``: pictures in, a report out."""

import dataclasses
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import tyro

from jaxpath import data, report
from jaxpath.cli.opening import (
    as_held,
    fit_pictures,
    names_to_show,
    open_classifier,
    open_pictures,
    read_class_names,
)
from jaxpath.cli.options import MethodOptions, TargetOptions
from jaxpath.cli.workplace import Workplace, set_up, warn_of_chance
from jaxpath.files import write_arrays
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
    load_blocks,
    load_class_pathways,
    load_left_out,
    load_reference,
    load_words,
    survey,
)
from jaxpath.pathways import site_arrays, unflatten
from jaxpath.runs import say
from jaxpath.types import InputError

_LEAST_FOR_A_CLASS = 5
"""Reference images of a class that make a class pathway where none was given."""

_PER_FIGURE = 8

_BLOCK = 256
"""Pictures in memory at once."""

_TOLD = 5
"""Pictures of which the terminal tells the verdict."""


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
    classifier: TargetOptions
    method: MethodOptions = dataclasses.field(default_factory=MethodOptions)


def run(options: Explain) -> None:
    """Set-up, survey, findings, report."""
    began = time.perf_counter()
    source = as_held(data.image_files(options.images), options.classifier)
    reference_source = None
    if options.reference is not None:
        reference_source = open_pictures(options.reference, options.classifier)
    net = open_classifier(options.classifier)
    target = net.target
    words = None if options.words is None else load_words(options.words, target.sites)
    learned = None if options.class_pathways is None else load_class_pathways(options.class_pathways, target)
    names = read_class_names(options.classifier.class_names, target.num_classes, net.class_names)
    if learned is not None:
        names = _check_learned_names(names, learned.class_names, options.class_pathways)
    if reference_source is not None:
        reference_source = fit_pictures(reference_source, target.num_classes, names)
    names = names_to_show(names, target.num_classes, reference_source)
    workplace = set_up(
        net,
        options.classifier,
        options.method,
        out=options.out,
        class_names=names,
        began=began,
        others=reference_source,
    )
    picture_names, pictures, everything = _survey_all(options, workplace, source)
    shown = everything.take(np.arange(len(pictures.names)))
    reference, warnings = None, []
    if reference_source is not None:
        reference = _load_reference(workplace, reference_source, shown)
        learned = learned or _learn_from(reference, workplace)
        known = reference.survey.records
        warnings = warn_of_chance(target, reference_source, known.predicted, known.labels)
    context = Context(reference, learned, words)
    findings = find_images(workplace.session, pictures, shown, context=context, seed=workplace.method.seed)
    _write_pathways(workplace, picture_names, everything)
    _draw(workplace, findings)
    workplace.write_manifest(
        pictures=list(picture_names),
        unreadable=len(source) - len(picture_names),
        reference=options.reference,
        left_out_files=[
            row._asdict() for row in ([] if reference_source is None else reference_source.left_out)
        ],
        warnings=warnings,
    )
    count = 0 if reference is None else len(reference.pictures.names)
    setting = workplace.setting(
        reference=f"{count} pictures of {options.reference}" if count else "",
        warnings=warnings,
        left_out=() if options.words is None else load_left_out(options.words),
    )
    rows = _overview(picture_names, everything, len(findings))
    report.write_page(report.image_page(findings, setting, overview=rows), options.out / "report.html")
    _tell(workplace, len(picture_names), findings)


def _check_learned_names(
    names: tuple[str, ...], learned: tuple[str, ...], path: Path | None
) -> tuple[str, ...]:
    """The names of the classes, else those that class pathways were learned with.

    Raises:
        InputError: Both are there, in another order.
    """
    if names and learned and data.contradict(names, learned):
        raise InputError(
            f"{path} was learned with the classes in another order ({', '.join(learned[:3])} first); learn "
            "the class pathways anew, or give the class names that they were learned with"
        )
    return names or learned


def _survey_all(
    options: Explain, workplace: Workplace, source: data.Source
) -> tuple[tuple[str, ...], Pictures, Survey]:
    """Names and survey of all pictures, and the pictures themselves of those that are shown in full."""
    names: list[str] = []
    shown: list[Pictures] = []
    surveys: list[Survey] = []
    skip = options.skip_unreadable
    for pictures in load_blocks(workplace.session, source, size=_BLOCK, skip_unreadable=skip):
        surveys.append(survey(workplace.session, workplace.method, pictures))
        shown.append(pictures.take(range(min(len(pictures.names), max(options.details - len(names), 0)))))
        names += pictures.names
    return tuple(names), join_pictures(shown), join_surveys(surveys)


def _load_reference(workplace: Workplace, source: data.Source, shown: Survey) -> Reference:
    """Reference pictures, some of them of the classes that are shown."""
    classes = set(shown.records.predicted.tolist())
    return load_reference(workplace.session, workplace.method, source, classes, identity=workplace.identity)


def _learn_from(reference: Reference, workplace: Workplace) -> ClassPathways:
    """The class pathways that the reference gives, of the classes that it holds enough pictures of."""
    return learn_class_pathways(
        reference.survey.records,
        workplace.target.num_classes,
        least=_LEAST_FOR_A_CLASS,
        class_names=workplace.class_names,
        method=workplace.method.name,
    )


def _write_pathways(workplace: Workplace, names: Sequence[str], everything: Survey) -> None:
    """Writes ``pathway.npz``: every picture's record and scores, the sites, the names."""
    arrays = {
        **everything.records._asdict(),
        "scores": everything.scores,
        "logits": everything.logits,
        "names": np.array(names, np.str_),
        **site_arrays(workplace.target.sites),
    }
    write_arrays(workplace.out / "pathway.npz", arrays)


def _draw(workplace: Workplace, findings: Sequence[ImageFinding]) -> None:
    """The pathways as PNG figures, eight pictures each, and every picture's saliency."""
    target, names = workplace.target, workplace.class_names
    figures = workplace.out / "figures"
    for start in range(0, len(findings), _PER_FIGURE):
        group = findings[start : start + _PER_FIGURE]
        figure = report.plot_pathways(
            np.stack([f.image for f in group]),
            unflatten(np.stack([f.mask for f in group]).astype(np.float32), target.sites),
            target.sites,
            report.Captions(
                labels=[f.predicted if f.label < 0 else f.label for f in group],
                predictions=[f.predicted for f in group],
                clean=[f.confidence.clean for f in group],
                masked=[f.confidence.pathway for f in group],
            ),
            class_names=[names[c] if c < len(names) else str(c) for c in range(target.num_classes)],
            title="Pathways",
        )
        report.save_figure(figure, figures / f"pathways-{start // _PER_FIGURE + 1}.png")
    for number, finding in enumerate(findings, 1):
        report.save_saliency(finding.image, finding.saliency, figures / f"saliency-{number}.png")


def _overview(names: Sequence[str], everything: Survey, num_shown: int) -> list[report.OverviewRow]:
    """A row for every picture; those shown in full have an anchor."""
    records = everything.records
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


def _tell(workplace: Workplace, count: int, findings: Sequence[ImageFinding]) -> None:
    for finding in findings[:_TOLD]:
        say(f"{finding.name}: {report.verdict(finding, report.Names(workplace.class_names))}")
    more = count - min(_TOLD, len(findings))
    if more:
        say(f"and {more} more")
    say(f"report: {workplace.out / 'report.html'} ({workplace.seconds:.0f} s)")
