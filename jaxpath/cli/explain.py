"""``jaxpath explain``: pictures in, a report out."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxpath import data, report
from jaxpath.caches import forget_unfinished, unfinished
from jaxpath.cli.channel_pages import write_channel_pages
from jaxpath.cli.closing import Given
from jaxpath.cli.commands import Explain
from jaxpath.cli.leaving import clear, write_results
from jaxpath.cli.limits import end_beyond
from jaxpath.cli.opening import (
    as_held,
    fit_pictures,
    names_to_show,
    open_classifier,
    open_pictures,
    open_question,
    read_class_names,
)
from jaxpath.cli.workplace import Workplace, set_up, warn_of_chance
from jaxpath.files import write_arrays
from jaxpath.findings import (
    Assessment,
    ClassPathways,
    Conditions,
    Context,
    ImageFinding,
    Pictures,
    Reference,
    Survey,
    Words,
    assess,
    find_images,
    join_pictures,
    join_surveys,
    kept_survey,
    load_blocks,
    load_class_pathways,
    load_left_out,
    load_reference,
    load_words,
    others_for,
)
from jaxpath.naming import without_folders
from jaxpath.pathways import site_arrays, unflatten
from jaxpath.runs import say
from jaxpath.types import InputError

_PER_FIGURE = 8

_BLOCK = 16
"""Pictures in memory at once, and kept together until all are explained."""


def run(options: Explain) -> None:
    """Set-up, survey, test, findings, report."""
    workplace, sources = _open(options)
    everything, shown = _survey_all(options, workplace, sources.pictures)
    reference, warnings = None, []
    learned = sources.learned
    if sources.reference is not None:
        reference = _load_reference(workplace, sources.reference, everything.survey)
        learned = learned or workplace.learn_from(reference)
        known = reference.survey.records
        warnings = warn_of_chance(workplace.target, sources.reference, known.predicted, known.labels)
    assessments = _assess_all(options, workplace, sources.pictures, everything, reference, learned)
    count = len(shown.names)
    findings = find_images(
        workplace.session,
        shown,
        everything.survey.take(np.arange(count)),
        context=Context(reference, learned, sources.words, options.attributions),
        assessments=assessments[:count],
        seed=workplace.method.seed,
    )
    _write(options, workplace, everything, findings)
    compared = 0 if reference is None else len(reference.pictures.names)
    setting = workplace.setting(
        reference=f"{compared} pictures of {without_folders(options.reference or '')}" if compared else "",
        warnings=warnings,
        left_out=() if options.words is None else load_left_out(options.words),
    )
    _write_pages(options, findings, setting, assessments, reference, sources.words)
    facts: dict[str, Any] = {
        "reference": options.reference,
        "unreadable": len(sources.pictures) - len(everything.names),
        "left_out_files": []
        if sources.reference is None
        else [row._asdict() for row in sources.reference.left_out],
        "warnings": warnings,
    }
    results = write_results(workplace, assessments, {}, **facts)
    workplace.write_manifest(pictures=list(everything.names), **facts)
    forget_unfinished(options.out)
    _tell(workplace, assessments)
    end_beyond(options.fail_if, results["summary"])


class _Sources(NamedTuple):
    """What the options name.

    Attributes:
        pictures: To explain.
        reference: To compare with; None: nothing.
        learned: Class pathways; None: none were given.
        words: Of channels; None: none were given.
    """

    pictures: data.Source
    reference: data.Source | None
    learned: ClassPathways | None
    words: Words | None


class _Everything(NamedTuple):
    """All pictures, explained: their names, and what was found."""

    names: tuple[str, ...]
    survey: Survey


def _open(options: Explain) -> tuple[Workplace, _Sources]:
    """Everything that the options name, and what the command works with."""
    began = time.perf_counter()
    source = as_held(data.image_files(options.images), options.classifier)
    reference = None
    if options.reference is not None:
        reference = open_pictures(options.reference, options.classifier)
    net = open_classifier(options.classifier)
    target = net.target
    words = None if options.words is None else load_words(options.words, target.sites)
    learned = (
        None
        if options.class_pathways is None
        else load_class_pathways(options.class_pathways, target, params=net.params)
    )
    names = read_class_names(options.classifier.class_names, target.num_classes, net.class_names)
    if learned is not None:
        names = _check_learned_names(names, learned.class_names, options.class_pathways)
    if reference is not None:
        reference = fit_pictures(reference, target.num_classes, names)
    names = names_to_show(names, target.num_classes, reference)
    workplace = set_up(
        net,
        options.classifier,
        options.method,
        out=options.out,
        class_names=names,
        began=began,
        pictures=Given(reference, options.reference or "", source),
        question=open_question(options.class_, options.against, target.num_classes, names),
    )
    return workplace, _Sources(source, reference, learned, words)


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


def _survey_all(options: Explain, workplace: Workplace, source: data.Source) -> tuple[_Everything, Pictures]:
    """Names and survey of all pictures, and the pictures themselves of those that are shown in full."""
    names: list[str] = []
    shown: list[Pictures] = []
    surveys: list[Survey] = []
    for pictures in _blocks(options, workplace, source):
        surveyed = kept_survey(
            workplace.session,
            workplace.method,
            pictures,
            identity=workplace.identity,
            question=workplace.question,
            folder=unfinished(options.out),
        )
        _check_against(workplace, pictures, surveyed)
        surveys.append(surveyed)
        shown.append(pictures.take(range(min(len(pictures.names), max(options.details - len(names), 0)))))
        names += pictures.names
    return _Everything(tuple(names), join_surveys(surveys)), join_pictures(shown)


def _blocks(options: Explain, workplace: Workplace, source: data.Source) -> Iterator[Pictures]:
    size = max(_BLOCK, workplace.session.batch_size)
    return load_blocks(workplace.session, source, size=size, skip_unreadable=options.skip_unreadable)


def _check_against(workplace: Workplace, pictures: Pictures, surveyed: Survey) -> None:
    """Raises an :class:`InputError` if a class would be explained rather than itself."""
    against = workplace.question.against
    same = np.flatnonzero(surveyed.classes == (-1 if against is None else against))
    if same.size:
        name = report.Names(workplace.class_names).quoted(int(surveyed.classes[same[0]]))
        raise InputError(
            f"--against names {name}, which is what the classifier says of {pictures.names[same[0]]}; name "
            "the class to explain with --class, or leave the picture out"
        )


def _assess_all(
    options: Explain,
    workplace: Workplace,
    source: data.Source,
    everything: _Everything,
    reference: Reference | None,
    learned: ClassPathways | None,
) -> list[Assessment]:
    """Puts all pathways to the test, a block of pictures after the other."""
    assessments: list[Assessment] = []
    others = None
    for pictures in _blocks(options, workplace, source):
        first = len(assessments)
        surveyed = everything.survey.take(np.arange(first, first + len(pictures.names)))
        # Without a reference, the first pictures are the others of all.
        others = others or others_for(pictures, surveyed, reference)
        conditions = Conditions(
            workplace.fills, others, learned, workplace.question.against, workplace.method.seed
        )
        assessments += assess(
            workplace.session, pictures, surveyed, conditions, first=first, folder=unfinished(options.out)
        )
    return assessments


def _load_reference(workplace: Workplace, source: data.Source, survey: Survey) -> Reference:
    """Reference pictures, some of them of the classes that are shown."""
    classes = set(survey.classes.tolist())
    # What is compared with is explained by itself, not rather than something else.
    method = workplace.plain_method or workplace.method
    return load_reference(workplace.session, method, source, classes, identity=workplace.identity)


def _write(
    options: Explain,
    workplace: Workplace,
    everything: _Everything,
    findings: Sequence[ImageFinding],
) -> None:
    """Writes ``pathway.npz``, every picture's record and scores, the sites and the names; and the figures."""
    clear(options.out, "figures/pathways-*.png", "figures/saliency-*.png")
    arrays = {
        **everything.survey.records._asdict(),
        "classes": everything.survey.classes,
        "scores": everything.survey.scores,
        "logits": everything.survey.logits,
        "names": np.array(everything.names, np.str_),
        **site_arrays(workplace.target.sites),
    }
    write_arrays(workplace.out / "pathway.npz", arrays)
    _draw(workplace, findings)


def _write_pages(
    options: Explain,
    findings: Sequence[ImageFinding],
    setting: report.Setting,
    assessments: Sequence[Assessment],
    reference: Reference | None,
    words: Words | None,
) -> None:
    """Writes the report, and if they are asked for, pages about its channels."""
    seed = options.method.seed
    known = reference if options.channels else None
    channels = write_channel_pages(options.out, findings, setting, known, words, seed=seed)
    clear(options.out, "pictures/[0-9]*.html")
    pages = report.image_pages(findings, setting, assessments=assessments, channel_pages=channels)
    for path, html in pages:
        report.write_page(html, options.out / path)


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
                labels=[f.assessment.label if f.assessment.label >= 0 else f.explained for f in group],
                predictions=[f.explained for f in group],
                clean=[f.assessment.clean for f in group],
                masked=[_alone(f.assessment) for f in group],
            ),
            class_names=[names[c] if c < len(names) else str(c) for c in range(target.num_classes)],
            title="Pathways",
        )
        report.save_figure(figure, figures / f"pathways-{start // _PER_FIGURE + 1}.png")
    for number, finding in enumerate(findings, 1):
        report.save_saliency(finding.image, finding.saliency, figures / f"saliency-{number}.png")


def _alone(assessment: Assessment) -> float:
    """The probability with the pathway alone, under the first ablation."""
    return next(iter(assessment.measured.controls.values())).alone.probability


def _tell(workplace: Workplace, assessments: Sequence[Assessment]) -> None:
    name = report.Names(workplace.class_names)
    for assessment in assessments:
        say(f"{assessment.name}: {report.verdict(assessment, name)}")
    say(f"report: {workplace.out / 'report.html'} ({workplace.seconds:.0f} s)")
