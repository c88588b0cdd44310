"""``jaxpath compare-pictures``: two pictures, or two classifiers on one picture, on one page."""

import dataclasses
import time
from pathlib import Path
from typing import Any

from jaxpath import data, report
from jaxpath.cli.closing import Given
from jaxpath.cli.commands import ComparePictures
from jaxpath.cli.leaving import write_results
from jaxpath.cli.opening import (
    as_held,
    fit_pictures,
    names_to_show,
    open_classifier,
    open_pictures,
    read_class_names,
)
from jaxpath.cli.options import TargetOptions
from jaxpath.cli.workplace import Workplace, set_up
from jaxpath.findings import (
    Assessment,
    Conditions,
    Context,
    ImageFinding,
    Pictures,
    Survey,
    Words,
    assess,
    find_images,
    load_pictures,
    load_reference,
    load_words,
    others_for,
    survey,
)
from jaxpath.findings.side_by_side import match_words, set_side_by_side
from jaxpath.report.sides import Side, side_by_side_page
from jaxpath.runs import say


def run(options: ComparePictures) -> None:
    """Explains both sides, and sets them beside each other."""
    began = time.perf_counter()
    sides: list[Side] = []
    places: list[Workplace] = []
    shared, matched = None, None
    for classifier, path in _classifiers(options):
        workplace, pictures, reference = _open(options, classifier, began)
        words = None if path is None else load_words(path, workplace.target.sites)
        surveyed, found = _explain(workplace, pictures, reference, words)
        setting = workplace.setting(reference=options.reference or "")
        sides += [Side(finding, setting) for finding in found]
        places.append(workplace)
        if options.weights2 is None:
            shared = set_side_by_side(pictures, surveyed, workplace.target.sites, words=words)
    assessments = [side.finding.assessment for side in sides]
    if shared is None and options.words is not None and options.words2 is not None:
        matched = match_words(*(side.finding.words for side in sides))
    page = side_by_side_page(sides, shared, matched=matched)
    report.write_page(page, options.out / "side_by_side.html")
    _write(places, assessments, None if shared is None else shared.iou)
    for side in sides:
        say(f"{side.finding.name} ({side.setting.model}): {_verdict(side)}")
    if shared is not None:
        say(f"both open {shared.iou:.2f} of the channels that either opens")
    say(f"report: {options.out / 'side_by_side.html'} ({places[0].seconds:.0f} s)")


def _classifiers(options: ComparePictures) -> list[tuple[TargetOptions, Path | None]]:
    """The one or two classifiers, and the words of their channels."""
    classifiers = [(options.classifier, options.words)]
    if options.weights2 is not None:
        second = dataclasses.replace(
            options.classifier,
            weights=options.weights2,
            model=options.model2,
            class_names=options.class_names2,
        )
        classifiers.append((second, options.words2))
    return classifiers


def _open(
    options: ComparePictures, classifier: TargetOptions, began: float
) -> tuple[Workplace, Pictures, data.Source | None]:
    """What a classifier is explained with, the pictures as it sees them, and those to compare with."""
    source = as_held(data.image_files(options.images), classifier)
    reference = None if options.reference is None else open_pictures(options.reference, classifier)
    net = open_classifier(classifier)
    names = read_class_names(classifier.class_names, net.target.num_classes, net.class_names)
    if reference is not None:
        reference = fit_pictures(reference, net.target.num_classes, names)
    workplace = set_up(
        net,
        classifier,
        options.method,
        out=options.out,
        class_names=names_to_show(names, net.target.num_classes, reference),
        began=began,
        pictures=Given(reference, options.reference or "", source),
    )
    return workplace, load_pictures(workplace.session, source), reference


def _explain(
    workplace: Workplace, pictures: Pictures, source: data.Source | None, words: Words | None
) -> tuple[Survey, list[ImageFinding]]:
    session, method = workplace.session, workplace.method
    surveyed = survey(session, method, pictures)
    reference = None
    if source is not None:
        classes = set(surveyed.classes.tolist())
        reference = load_reference(session, method, source, classes, identity=workplace.identity)
    others = others_for(pictures, surveyed, reference)
    made = assess(session, pictures, surveyed, Conditions(workplace.fills, others, seed=method.seed))
    context = Context(reference, words=words)
    return surveyed, find_images(session, pictures, surveyed, context=context, assessments=made)


def _write(places: list[Workplace], assessments: list[Assessment], iou: float | None) -> None:
    """Writes the results; the classifier of each picture is told where there are two."""
    summary: dict[str, Any] = {} if iou is None else {"iou": iou}
    models = [
        {"model": place.target.name, "weights": place.weights, "weights_sha256": place.identity}
        for place in places
    ]
    write_results(places[0], assessments, summary, classifiers=models)
    places[0].write_manifest(classifiers=models, pictures=[one.name for one in assessments])


def _verdict(side: Side) -> str:
    return report.verdict(side.finding.assessment, report.Names(side.setting.class_names))
