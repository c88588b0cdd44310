"""What a run leaves behind: ``results.json``, arrays and figures."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxpath import data, metrics, report
from jaxpath.files import write_arrays, write_text
from jaxpath.pathways import site_arrays, unflatten
from jaxpath.runs.evaluation import Evaluation, evaluate_generator
from jaxpath.runs.generators import TrainedGenerator
from jaxpath.runs.manifest import as_json, environment
from jaxpath.runs.options import GeneratorOptions
from jaxpath.runs.pictures import read_pictures
from jaxpath.runs.run import Run, names_of, say, warn
from jaxpath.runs.study import Study
from jaxpath.types import Target

_EXAMPLES = 8
"""Images that one figure shows."""

SPEED = ("images_per_second", "compile_seconds", "input_seconds")
"""Figures of a training that go into ``results.json``."""


def report_generator(
    study: Study, trained: TrainedGenerator, options: GeneratorOptions, *, run: Run
) -> Evaluation:
    """Scores a trained generator on held-out images, and writes everything into the run's folder.

    Left are ``results.json``, ``pathways.npz``, ``pathways.png``, ``density_per_site.png`` and, with class
    pathways, ``class_pathways.png``.

    Args:
        study: The classifier and its images.
        trained: The generator.
        options: Those that it was trained with.
        run: The run.
    """
    run = run.decided_by(options, **names_of(study.target, study.train, study.params))
    say(f"evaluation: {len(study.held_out)} held-out images")
    evaluation = evaluate_generator(study, trained, options, seed=run.seed)
    if jax.process_index() == 0:
        write_pathways(run.out, study.target, evaluation)
        draw_pathways(run.out, study.target, evaluation, study.held_out)
    records = evaluation.records
    count = len(records.labels)
    unreadable = len(trained.unreadable) + len(study.held_out) - count
    figures = {
        **evaluation.figures,
        "num_images": count,
        "unreadable_images": unreadable,
        "warnings": metrics.chance_warnings(records.predicted, records.labels, study.target.num_classes),
        **({} if trained.fit is None else {name: getattr(trained.fit, name) for name in SPEED}),
        **({"looks": [look._asdict() for look in trained.looks]} if trained.looks else {}),
    }
    write_results(figures, run=run)
    return evaluation


def write_results(figures: Mapping[str, Any], *, run: Run) -> None:
    """Writes ``results.json``: figures, warnings, seconds, configuration, versions and device.

    Prints the headlines and the warnings.

    Args:
        figures: Every metric by its name, and ``warnings``: sentences of what speaks against them, such as
            :func:`jaxpath.metrics.chance_warnings`.
        run: The run.
    """
    warnings = list(figures.get("warnings", ()))
    if figures.get("collapsed_sites"):
        warnings.append(
            f"the gates of {', '.join(figures['collapsed_sites'])} are the same, all 0 or all 1, for every "
            "image: these sites tell nothing about any of them"
        )
    described = {"warnings": warnings, "seconds": run.seconds, "config": dict(run.config or {})}
    results = {**figures, **described, **environment()}
    if jax.process_index() == 0:
        write_text(run.out / "results.json", as_json(results))
    for name in metrics.metric_names(lambda metric: metric.headline):
        if name in figures:
            say(f"  {name:>16} {figures[name]:.3f}")
    for warning in warnings:
        warn(warning)
    say(f"results: {run.out / 'results.json'}")


def write_pathways(out: Path, target: Target, evaluation: Evaluation) -> None:
    """Writes ``pathways.npz``: every held-out image's record, the sites, and the class frequencies."""
    arrays = {**evaluation.records._asdict(), **site_arrays(target.sites)}
    if evaluation.frequencies is not None:
        arrays["class_frequencies"] = evaluation.frequencies
    write_arrays(out / "pathways.npz", arrays)


def draw_pathways(out: Path, target: Target, evaluation: Evaluation, source: data.Source) -> None:
    """Draws ``pathways.png``, ``density_per_site.png`` and, with frequencies, ``class_pathways.png``.

    Shown are the classes that the classifier puts most images into.

    Args:
        out: Folder of the run.
        target: The classifier.
        evaluation: The explained images.
        source: Where their images are.
    """
    records, frequencies = evaluation.records, evaluation.frequencies
    class_names = data.names_of_classes(source, target.num_classes)
    rows = one_per_class(records.predicted, limit=_EXAMPLES)
    masks = unflatten(records.masks.astype(np.float32), target.sites)
    shown = data.Subset(source, records.indices[rows])
    figure = report.plot_pathways(
        read_pictures(shown, target.preprocessing)["image"],
        {name: mask[rows] for name, mask in masks.items()},
        target.sites,
        report.Captions(
            labels=records.labels[rows].tolist(),
            predictions=records.predicted[rows].tolist(),
            clean=records.clean_confidence[rows].tolist(),
            masked=records.masked_confidence[rows].tolist(),
        ),
        class_names=class_names,
    )
    report.save_figure(figure, out / "pathways.png")
    report.save_figure(report.plot_density_per_site(masks, target.sites), out / "density_per_site.png")
    if frequencies is not None:
        known = report.most_frequent(np.bincount(records.predicted))
        similarity = metrics.class_similarity(records.masks, records.predicted, target.num_classes)
        figure = report.plot_class_pathways(
            {int(label): unflatten(frequencies[label], target.sites) for label in known},
            target.sites,
            class_names,
            iou=similarity.matrix[np.ix_(known, known)],
        )
        report.save_figure(figure, out / "class_pathways.png")
    say(f"figures: {out / 'pathways.png'}")


def one_per_class(classes: np.ndarray, *, limit: int) -> np.ndarray:
    """Positions of the first image of each of the most frequent classes, in the order of the classes.

    Args:
        classes: Of each image, [N_images].
        limit: How many there are at most.
    """
    _, first, counts = np.unique(classes, return_index=True, return_counts=True)
    return first[report.most_frequent(counts, limit=limit)]
