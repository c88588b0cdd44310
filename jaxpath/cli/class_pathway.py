"""``jaxpath class-pathway``: the pathways of classes, learned once and put on new pictures."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxpath import data, metrics, report
from jaxpath.caches import forget_unfinished, unfinished
from jaxpath.cli.closing import Given
from jaxpath.cli.commands import LearnClassPathways
from jaxpath.cli.leaving import clear, rows_of, write_results
from jaxpath.cli.limits import end_beyond
from jaxpath.cli.opening import (
    as_held,
    draw_pictures,
    fit_pictures,
    names_to_show,
    open_classifier,
    open_pictures,
    read_class_names,
)
from jaxpath.cli.workplace import Workplace, set_up, warn_of_chance
from jaxpath.files import write_text
from jaxpath.findings import (
    Assessment,
    ClassPathways,
    Conditions,
    Words,
    assess,
    describe_classes,
    learn_class_pathways,
    load_left_out,
    load_pictures,
    load_words,
    others_for,
    save_class_pathways,
    survey,
    transfer_pictures,
)
from jaxpath.pathways import unflatten
from jaxpath.runs import as_json, say, warn
from jaxpath.types import InputError

_TOLD = 5
"""Classes of which the terminal tells the words."""


def run(options: LearnClassPathways) -> None:
    """Set-up, class pathways, and their transfer."""
    began = time.perf_counter()
    source = open_pictures(options.data, options.classifier, split=options.split, data_dir=options.data_dir)
    new = _pictures_to_explain(options)
    net = open_classifier(options.classifier)
    target = net.target
    words = None if options.words is None else load_words(options.words, target.sites)
    names = read_class_names(options.classifier.class_names, target.num_classes, net.class_names)
    source = fit_pictures(source, target.num_classes, names)
    if new is not None:
        new = fit_pictures(data.align(source, new, whose="--data"), target.num_classes, names)
    names = names_to_show(names, target.num_classes, source, new)
    source = draw_pictures(source, options.images, seed=options.method.seed)
    workplace = set_up(
        net,
        options.classifier,
        options.method,
        out=options.out,
        class_names=names,
        began=began,
        pictures=Given(source, options.data),
    )
    learned, records = _learn(options, workplace, source)
    warnings = warn_of_chance(target, source, records.predicted, records.labels)
    count = len(records.labels)
    save_class_pathways(learned, target, options.out / "class_pathways.npz", params=net.params)
    _draw(workplace, learned, records)
    clear(options.out, "transfer.json", "class_words.*")
    if words is not None:
        _write_words(options, workplace, learned, words, warnings)
    known = int(learned.known.sum())
    density = learned.masks[learned.known].mean()
    say(f"{known} class pathways from {count} pictures, {density:.1%} of the channels open")
    assessments: list[Assessment] = []
    summary: dict[str, Any] = {"images": count, "classes": known, "class_density": float(density)}
    if new is not None:
        warnings += _warn_of_known(source, new, records)
        assessments, fidelity = _transfer(options, workplace, learned, new)
        summary["transfer"] = fidelity
    facts: dict[str, Any] = {
        "data": options.data,
        "threshold": options.threshold,
        "applied_to": list(options.apply),
        "left_out_files": [row._asdict() for row in source.left_out],
        "warnings": warnings,
    }
    rows = rows_of(workplace, records, source) if new is None else ()
    results = write_results(workplace, assessments, summary, rows=rows, **facts)
    workplace.write_manifest(images=count, classes=known, **facts)
    forget_unfinished(options.out)
    say(f"class pathways: {options.out / 'class_pathways.npz'} ({workplace.seconds:.0f} s)")
    end_beyond(options.fail_if, results["summary"])


def _warn_of_known(source: data.Source, new: data.Source, records: metrics.Records) -> list[str]:
    """Says that pathways are put on pictures that they were learned from, which proves little."""
    learned = {source.name(int(index)) for index in records.indices}
    known = sum(new.name(i) in learned for i in range(len(new)))
    if not known:
        return []
    warning = (
        f"{known} of the {len(new)} pictures of --apply are among those that the pathways were learned from: "
        "what is said of them is no test"
    )
    warn(warning)
    return [warning]


def _pictures_to_explain(options: LearnClassPathways) -> data.Source | None:
    """The pictures of ``--apply``: a data set, or files and folders."""
    if not options.apply:
        return None
    paths = [Path(path) for path in options.apply]
    if options.apply_split is None and all(
        path.is_dir() or path.suffix.lower() in data.IMAGE_SUFFIXES for path in paths
    ):
        return as_held(data.image_files(paths), options.classifier)
    if len(paths) > 1:
        raise InputError(
            f"--apply got {len(paths)} names that are not all pictures and folders of them; name pictures "
            "and folders, or one data set"
        )
    return open_pictures(
        options.apply[0], options.classifier, split=options.apply_split, data_dir=options.data_dir
    )


def _learn(
    options: LearnClassPathways, workplace: Workplace, source: data.Source
) -> tuple[ClassPathways, metrics.Records]:
    """The pathways of the classes, and the pictures that they come from."""
    reading = data.Reading(skip_unreadable=options.skip_unreadable)
    passes = metrics.source_passes(workplace.session, source, title="learning", reading=reading)
    records = metrics.explain_all(workplace.session, workplace.method, passes)
    learned = learn_class_pathways(
        records,
        workplace.target.num_classes,
        threshold=options.threshold,
        class_names=workplace.class_names,
        method=workplace.method.name,
    )
    return learned, records


def _transfer(
    options: LearnClassPathways, workplace: Workplace, learned: ClassPathways, source: data.Source
) -> tuple[list[Assessment], dict[str, float]]:
    """Writes ``transfer.json``: each new picture under its class's pathway, another's, and a random one.

    Returns:
        What may be concluded about each new picture, and the share that keep their class by kind of pathway.
    """
    session = workplace.session
    pictures = load_pictures(session, source, skip_unreadable=options.skip_unreadable)
    surveyed = survey(session, workplace.method, pictures, title="new pictures")
    records = surveyed.records
    transfer = transfer_pictures(session, learned, pictures, surveyed, seed=options.method.seed)
    each = [
        {
            "name": pictures.names[row],
            "predicted": int(records.predicted[row]),
            "class_name": learned.class_names[records.predicted[row]] if learned.class_names else None,
            "clean": float(records.clean_confidence[row]),
            "own_pathway": float(records.masked_confidence[row]),
            **{f"{name}_pathway": float(under.probability[i]) for name, under in transfer.under.items()},
            "class_pathway_predicts": int(transfer.under["class"].predicted[i]),
        }
        for i, row in enumerate(transfer.rows)
    ]
    fidelity = transfer.fidelity()
    left_out = len(records.predicted) - len(transfer.rows)
    result = {"fidelity": fidelity, "pictures": each, "classes_without_pathway": left_out}
    write_text(workplace.out / "transfer.json", as_json(result))
    say(
        f"{len(each)} new pictures: {fidelity['class']:.1%} keep their class under its pathway, "
        f"{fidelity['random']:.1%} under a random one as large, {fidelity['other']:.1%} under another class's"
        + (f"; {left_out} are of classes without a pathway" if left_out else "")
    )
    conditions = Conditions(
        workplace.fills, others_for(pictures, surveyed, None), learned, seed=options.method.seed
    )
    assessments = assess(session, pictures, surveyed, conditions, folder=unfinished(options.out))
    name = report.Names(workplace.class_names)
    for assessment in assessments:
        if assessment.class_judgement is not None:
            judgement = assessment.class_judgement
            said = report.label_of(judgement.verdict, weak=judgement.weak, switch=judgement.switch)
            say(f"{assessment.name}: the pathway of {name.quoted(assessment.explained)} {said}")
    return assessments, fidelity


def _write_words(
    options: LearnClassPathways,
    workplace: Workplace,
    learned: ClassPathways,
    words: Words,
    warnings: Sequence[str],
) -> None:
    """Writes the classes in words, as a page and as JSON; says some of it."""
    described = describe_classes(learned, words, workplace.target.sites)
    name = report.Names(learned.class_names)
    as_dicts = [
        {
            "class": one.label,
            "class_name": name(one.label),
            "words": [share._asdict() for share in one.words],
            "nearest": one.nearest,
            "iou": one.iou,
            "beside_nearest": one.beside
            and {part: [s._asdict() for s in shares] for part, shares in one.beside._asdict().items()},
        }
        for one in described
    ]
    write_text(workplace.out / "class_words.json", as_json(as_dicts))
    total = sum(map(len, words.values()))
    assert options.words is not None
    setting = workplace.setting(warnings=warnings, left_out=load_left_out(options.words))
    page = report.class_words_page(described, setting, total=total)
    report.write_page(page, workplace.out / "class_words.html")
    for one in described[:_TOLD]:
        said = ", ".join(share.word for share in one.words[:5]) or "no words"
        say(f"open in {name.quoted(one.label)}: {said}")


def _draw(workplace: Workplace, learned: ClassPathways, records: metrics.Records) -> None:
    """Draws the pathways of the classes with the most pictures, and how alike they are."""
    target, name = workplace.target, report.Names(learned.class_names)
    known = report.most_frequent(learned.counts)
    total = int(learned.known.sum())
    if len(known) < total:
        say(f"class_pathways.png shows {len(known)} of {total} classes, those with the most pictures")
    alike = metrics.class_similarity(records.masks, records.predicted, target.num_classes).matrix
    figure = report.plot_class_pathways(
        {int(label): unflatten(learned.frequencies[label], target.sites) for label in known},
        target.sites,
        [name(label) for label in range(target.num_classes)],
        iou=alike[np.ix_(known, known)],
    )
    report.save_figure(figure, workplace.out / "class_pathways.png")
