"""Trains a network of competing units and its rectified twin with the same budget."""

import dataclasses
from pathlib import Path
from typing import Any, NamedTuple

from jaxpath import data, targets
from jaxpath.runs.classifiers import train_classifier
from jaxpath.runs.options import ClassifierOptions
from jaxpath.runs.run import Run, as_config, say
from jaxpath.runs.schedules import steps_of
from jaxpath.runs.study import Net, target_options


@dataclasses.dataclass(frozen=True)
class PairOptions:
    """A network of competing units and its twin.

    Attributes:
        model: The rectified network.
        competitors: U, of which one wins.
        epochs: Passes over the training images, in place of train_steps.
        twin: Folder of the rectified twin's training, so that several runs share it; None takes twin/ in the
            run's folder.
        embeddings: .npz file with embeddings of the held-out images and of concepts; None names units after
            the classes of the images.
        num_workers: Processes that read images; 0 uses threads.
    """

    model: str
    competitors: int = 4
    epochs: float | None = None
    twin: Path | None = None
    embeddings: Path | None = None
    num_workers: int = 0


class Pair(NamedTuple):
    """Two trained networks of the same tensors.

    Attributes:
        competing: The one whose units compete.
        rectified: Its twin.
    """

    competing: Net
    rectified: Net


def train_pair(
    source: data.Source,
    options: PairOptions,
    classifier: ClassifierOptions,
    *,
    run: Run,
    image_size: int | None = None,
) -> Pair:
    """Trains both networks by the same steps; continues what their folders hold.

    Args:
        source: The training images.
        options: Which networks, and where the twin lies.
        classifier: How each is trained.
        run: The folder of the competing network, seed and configuration.
        image_size: Side of the square images that the networks take; None keeps their own.

    Raises:
        InputError: The units do not divide into blocks, or there is no such network.
    """
    if options.epochs is not None:
        steps = steps_of(options.epochs, source, classifier.train_batch_size)
        classifier = dataclasses.replace(classifier, train_steps=steps)
    shape = target_options(source, image_size=image_size)
    name = targets.competing_name(options.model, options.competitors)
    folders = {name: run.out, options.model: options.twin or run.out / "twin"}
    makes = {model: targets.make_target(model, **shape) for model in folders}
    nets = []
    for model, target in makes.items():
        say(f"{model}: {classifier.train_steps} steps of {classifier.train_batch_size}")
        part = dataclasses.replace(run, out=folders[model], config=_config_of(model, classifier, run))
        nets.append(Net(target, train_classifier(target, source, classifier, run=part)))
    return Pair(*nets)


def _config_of(model: str, classifier: ClassifierOptions, run: Run) -> dict[str, Any]:
    """What decides one network's training: a twin serves any number of competitors and any embeddings."""
    shared = {name: value for name, value in (run.config or {}).items() if name != "comparison"}
    return {**shared, "model": model, "seed": run.seed, "classifier": as_config(classifier)}
