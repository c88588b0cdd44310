"""Competing units beside their rectified twin: figures, words, and what a run leaves behind."""

import dataclasses
from pathlib import Path
from typing import Any, NamedTuple

import jax

from jaxpath import data, discover
from jaxpath.files import write_text
from jaxpath.runs.discover.planted import planted_top1
from jaxpath.runs.discover.training import Pair, PairOptions, train_pair
from jaxpath.runs.discover.units import UnitEvaluation, evaluate_units
from jaxpath.runs.manifest import as_json
from jaxpath.runs.options import ClassifierOptions, DataOptions
from jaxpath.runs.results import write_results
from jaxpath.runs.run import Run, begin, say
from jaxpath.runs.study import open_data
from jaxpath.start_up import Launch

_OF_THE_TWIN = ("active_share", "purity", "outputs_top1")
_PRINTED = ("accuracy", "relu_accuracy", "active_share", "planted_top1", "outputs_top1", "purity")


class PairEvaluation(NamedTuple):
    """Two networks on held-out images.

    Attributes:
        figures: Those of the competing network, and some of its twin as ``relu_...``.
        competing: The network whose units compete.
        rectified: Its twin.
    """

    figures: dict[str, Any]
    competing: UnitEvaluation
    rectified: UnitEvaluation


@dataclasses.dataclass(frozen=True, kw_only=True)
class PairRun(DataOptions, Launch):
    """A network of competing units beside its twin.

    Attributes:
        out: Folder of the run; the same command continues a run that was stopped.
        image_size: Side of the square images that the networks take; None keeps their own.
        seed: Of initialisation, order, draws and the held-out share.
    """

    out: Path = Path("runs/discover")
    image_size: int | None = None
    seed: int = 0
    comparison: PairOptions = dataclasses.field(default_factory=lambda: PairOptions("resnet20"))
    classifier: ClassifierOptions = dataclasses.field(default_factory=ClassifierOptions)


def run_pair(options: PairRun) -> PairEvaluation:
    """Opens the data, trains both networks, names their units, writes everything."""
    run = begin(options)
    train, held_out = open_data(options, seed=options.seed)
    return compare_pair(
        train, held_out, options.comparison, options.classifier, run=run, image_size=options.image_size
    )


def compare_pair(
    train: data.Source,
    held_out: data.Source,
    options: PairOptions,
    classifier: ClassifierOptions,
    *,
    run: Run,
    image_size: int | None = None,
) -> PairEvaluation:
    """Trains both networks with the same budget, names their units, writes everything.

    Args:
        train: The images to learn from.
        held_out: The images to score.
        options: Which networks, and the embeddings that name their units.
        classifier: How each is trained.
        run: Its folder, seed and configuration.
        image_size: Side of the square images that the networks take; None keeps their own.
    """
    embeddings = None if options.embeddings is None else discover.load_embeddings(options.embeddings)
    held_out = data.align(train, held_out)
    for source in (train, held_out):
        data.check_labels(source, train.num_classes)
    pair = train_pair(train, options, classifier, run=run, image_size=image_size)
    return report_pair(pair, held_out, run=run, embeddings=embeddings, num_workers=options.num_workers)


def evaluate_pair(
    pair: Pair,
    held_out: data.Source,
    *,
    embeddings: discover.Embeddings | None = None,
    num_workers: int = 0,
    seed: int = 0,
) -> PairEvaluation:
    """Scores both networks and their units on images that they have not learned from.

    Args:
        pair: The networks.
        held_out: The images.
        embeddings: Of these images and of concepts; None names units after the classes of the images.
        num_workers: Processes that read images; 0 uses threads.
        seed: Of draws, and of the planted detectors by which dissection itself is checked.
    """
    competing, rectified = (
        evaluate_units(net, held_out, embeddings=embeddings, num_workers=num_workers, seed=seed)
        for net in pair
    )
    by_draws = competing.figures["accuracy_by_draws"]
    figures = {
        **competing.figures,
        "accuracy": by_draws[max(by_draws)],
        **{f"relu_{name}": rectified.figures[name] for name in _OF_THE_TWIN},
        "relu_accuracy": rectified.figures["accuracy_by_draws"][0],
        "planted_top1": planted_top1(seed),
        "num_images": len(held_out),
        "warnings": [*competing.figures["warnings"], *rectified.figures["warnings"]],
    }
    return PairEvaluation(figures, competing, rectified)


def report_pair(
    pair: Pair,
    held_out: data.Source,
    *,
    run: Run,
    embeddings: discover.Embeddings | None = None,
    num_workers: int = 0,
) -> PairEvaluation:
    """Scores both networks, and writes everything into the run's folder.

    Left are ``results.json``, ``words.json``, which ``jaxpath explain --words`` takes, and
    ``descriptions.json``.

    Args:
        pair: The networks.
        held_out: The images to score.
        run: The run.
        embeddings: As in :func:`evaluate_pair`.
        num_workers: Processes that read images; 0 uses threads.
    """
    say(f"evaluation: {len(held_out)} held-out images")
    evaluation = evaluate_pair(pair, held_out, embeddings=embeddings, num_workers=num_workers, seed=run.seed)
    for net, units in zip(pair, evaluation[1:], strict=True):
        by_draws = units.figures["accuracy_by_draws"]
        shares = ", ".join(f"{count}: {share:.4f}" for count, share in by_draws.items())
        say(f"{net.target.name}: accuracy by draws: {shares}")
    if jax.process_index() == 0:
        left_out = () if embeddings is not None else evaluation.figures["left_out_classes"]
        discover.save_words(evaluation.competing.names, run.out / "words.json", left_out=left_out)
        write_text(run.out / "descriptions.json", as_json(evaluation.competing.descriptions))
    write_results(evaluation.figures, run=run)
    for name in _PRINTED:
        say(f"  {name:>16} {evaluation.figures[name]:.4f}")
    return evaluation
