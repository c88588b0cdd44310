"""Do pathways depend on what the classifier has learned? Two tests, with a figure."""

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxpath import data, explainers, metrics, report, targets
from jaxpath.metrics import Method, Passes, Session
from jaxpath.runs.classifiers import classify
from jaxpath.runs.evaluation import passes_over
from jaxpath.runs.generators import load_generator, train_generator
from jaxpath.runs.options import GeneratorOptions
from jaxpath.runs.results import write_results
from jaxpath.runs.run import Run, begin, say
from jaxpath.runs.schedules import with_epochs
from jaxpath.runs.study import Study, known_by, open_session
from jaxpath.runs.whole_runs import Cifar10, open_study
from jaxpath.types import InputError, Target

TRAINED, UNTRAINED = "generator", "generator of a random target"
"""The two generators in ``results.json``."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class SanityCheck(Cifar10):
    """Asks whether pathways depend on what the classifier has learned.

    Attributes:
        trained: A generator that was trained for the target: the file that experiments/cifar10.py writes.
        out: Folder of the results and of the second generator; the same command continues its training.
        explainers: Baselines that are put through the cascade beside the generator.
        density: Where the cascade cuts the scores of all explainers.
        densities: Where both generators are scored.
        images: Explains so many images in the cascade, drawn at random; None takes all.
        reinitialise: How weights are made anew: by the model's own initialisation, or, for a model of your
            own that has none, by shuffling each trained array or by drawing from its values.
    """

    trained: str
    out: Path = Path("runs/sanity")
    explainers: tuple[str, ...] = ("random", "activation", "taylor", "taylor_signed")
    density: float = 0.1
    densities: tuple[float, ...] = metrics.DENSITIES
    images: int | None = 200
    reinitialise: metrics.Reinitialise = "init"
    generator: GeneratorOptions = dataclasses.field(
        default_factory=lambda: GeneratorOptions(steps=400, augment="shift_flip", initial_logit=1.0)
    )


def check_sanity(options: SanityCheck) -> dict[str, Any]:
    """Puts explainers through a cascade, trains a generator for a random target, and writes both tests.

    The cascade re-initialises the classifier from its last layer down. The generator of a target that has
    learned nothing is scored on the trained one, beside that of ``options.trained``.

    Returns:
        ``cascade`` and ``random_target``, rows by explainer, and ``num_images``.

    Raises:
        InputError: Data, weights or the generator cannot be opened or do not fit each other; or a baseline
            is unknown.
    """
    run = begin(options, trained_hash=targets.weights_hash(options.trained))
    study = open_study(options)
    run = run.knowing(**known_by(study))
    trained = _load_method(study, options)
    baselines = [_baseline(name, study.target, options) for name in options.explainers]
    untrained = _train_for_random_target(study, options, run=run)

    session = open_session(study.target, study.params, batch_size=options.generator.batch_size)
    passes = passes_over(session, study.held_out, options.generator)
    curves = {}
    for method in (trained, untrained):
        curves[method.name] = score_densities(session, method, passes, densities=options.densities)
        cells = (f"{point['fidelity']:.3f} at {point['density']:g}" for point in curves[method.name])
        say(f"{method.name}: fidelity {', '.join(cells)}")

    few = study.held_out
    if options.images is not None:
        few = data.draw(few, options.images, seed=options.seed)
    passes = passes_over(session, few, options.generator)
    stages = {
        method.name: cascade(
            session, method, passes, density=options.density, reinitialise=options.reinitialise
        )
        for method in (*baselines, trained)
    }
    if jax.process_index() == 0:
        figure = report.plot_cascade(stages, chance=metrics.random_aciou(options.density))
        report.save_figure(figure, options.out / "cascade.png")
    _, warnings = classify(study.target, study.params, study.held_out)
    figures = {
        "cascade": stages,
        "random_target": curves,
        "num_images": len(study.held_out),
        "warnings": warnings,
    }
    write_results(figures, run=run)
    return figures


def score_densities(
    session: Session, method: Method, passes: Passes, *, densities: Sequence[float]
) -> list[dict[str, float]]:
    """``fidelity`` and ``mdc``, the mean drop of confidence, at every ``density``.

    :func:`jaxpath.metrics.density_curve` gives all metrics, with one pass per density for leakage.

    Args:
        session: The classifier.
        method: The explainer.
        passes: The images.
        densities: Fractions of neurons to open.
    """
    records = metrics.explain_at_densities(session, method, passes, densities=densities)
    return [
        {
            "density": float(density),
            "fidelity": metrics.agreement(record.masked_predicted, record.predicted),
            "mdc": metrics.mean_drop(record.clean_confidence, record.masked_confidence),
        }
        for density, record in zip(densities, records, strict=True)
    ]


def cascade(
    session: Session,
    method: Method,
    passes: Passes,
    *,
    density: float,
    reinitialise: metrics.Reinitialise = "init",
) -> list[dict[str, Any]]:
    """Overlap and rank correlation with the trained target's pathways, stage by stage.

    Args:
        session: The trained classifier.
        method: The explainer.
        passes: The images.
        density: Where scores are cut.
        reinitialise: How weights are made anew.

    Returns:
        ``stage``, ``share``, ``iou`` and ``spearman``, means over the images, from the top down.
    """
    return [
        {
            "stage": stage.stage,
            "share": stage.share,
            "iou": float(stage.iou.mean()),
            "spearman": float(np.nanmean(stage.spearman)),
        }
        for stage in metrics.cascading_randomization(
            session, method, passes, density=density, reinitialise=reinitialise
        )
    ]


def _load_method(study: Study, options: SanityCheck) -> Method:
    """The generator that was trained for the classifier."""
    generator = load_generator(options.trained, study.target, params=study.params)
    return generator.method(study.target, density=options.density, seed=options.seed)._replace(name=TRAINED)


def _baseline(name: str, target: Target, options: SanityCheck) -> Method:
    if name not in explainers.names():
        raise InputError(f"--explainers got {name!r}; choose from {', '.join(explainers.names())}")
    explain = explainers.make_explainer(name, target, density=options.density)
    return Method.of(name, explain, seed=options.seed)


def _train_for_random_target(study: Study, options: SanityCheck, *, run: Run) -> Method:
    """A generator for the same classifier with weights that have learned nothing."""
    say("a generator for a target of random weights")
    params = metrics.make_anew(
        study.target, study.params, seed=options.seed + 1, reinitialise=options.reinitialise
    )
    settings = with_epochs(options.generator, options.epochs, study.train)
    generator = train_generator(study.target, params, study.train, settings, run=run)
    return generator.method(study.target, density=options.density, seed=options.seed)._replace(name=UNTRAINED)
