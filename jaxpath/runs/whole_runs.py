"""Runs that are started by one command: their options with the defaults that suit them, and what they do."""

import dataclasses
from pathlib import Path

from jaxpath import data, targets
from jaxpath.runs.classifiers import WEIGHTS, classify, train_classifier
from jaxpath.runs.evaluation import Evaluation
from jaxpath.runs.generators import train_generator
from jaxpath.runs.nets import load_net, make_target_like
from jaxpath.runs.objective_options import PhotographObjective
from jaxpath.runs.options import AUTO, ClassifierOptions, DataOptions, GeneratorOptions
from jaxpath.runs.results import report_generator, write_results
from jaxpath.runs.run import begin, say
from jaxpath.runs.schedules import steps_of, with_epochs
from jaxpath.runs.study import (
    Study,
    check_data,
    known_by,
    make_study,
    open_data,
    target_options,
    with_boxes_of,
)
from jaxpath.runs.weights_options import WeightsOptions
from jaxpath.start_up import Launch
from jaxpath.types import Target


@dataclasses.dataclass(frozen=True, kw_only=True)
class GeneratorRun(DataOptions, Launch):
    """Trains a generator of pathways for a trained classifier, and scores it on images that it has not seen.

    Attributes:
        weights: The target's weights: .safetensors, .pth, or hf://owner/name; None takes those of --target.
        out: Folder of the run; the same command continues a run that was stopped.
        model: Name of the target.
        num_classes: Classes of the target; None keeps those of the weights.
        image_size: Side of the square images that the target takes; None keeps that of the weights, or
            its own.
        epochs: Passes over the training images, in place of steps.
        boxes: A .csv of boxes around the objects of the scored images, a line each: path (the end of a
            picture's name), width and height of the picture, x0, y0, x1, y1. Says whether saliency through
            the pathways points at the objects.
        seed: Of initialisation, order, draws and the held-out share.
    """

    weights: str | None = None
    out: Path
    model: str
    num_classes: int | None = None
    image_size: int | None = None
    epochs: float | None = None
    boxes: Path | None = None
    seed: int = 0
    loading: WeightsOptions = dataclasses.field(default_factory=WeightsOptions)
    generator: GeneratorOptions = dataclasses.field(default_factory=GeneratorOptions)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Imagenet(GeneratorRun):
    """Trains a generator of pathways for a trained classifier of photographs, and scores it on others.

    A folder holds one folder per class, named by WordNet id, with wnids.json (all 1000 ids in the order of
    the classes) inside or beside it if classes are missing. Folders named train and val inside are splits.
    """

    out: Path = Path("runs/imagenet")
    model: str = "resnet18"
    generator: GeneratorOptions = dataclasses.field(
        default_factory=lambda: GeneratorOptions(
            steps=600,
            batch_size=32,
            width=256,
            augment="crop_flip",
            initial_logit=0.0,
            objective=PhotographObjective(),
        )
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Cifar10(GeneratorRun):
    """Trains a generator of pathways for a classifier of CIFAR-10, and scores it on test images.

    The data are an .npz file with train_images, train_labels, test_images and test_labels.
    """

    out: Path = Path("runs/cifar10")
    model: str = "resnet20"
    num_classes: int | None = 10
    eval_split: str | None = "test"
    generator: GeneratorOptions = dataclasses.field(
        default_factory=lambda: GeneratorOptions(steps=1500, augment="shift_flip", initial_logit=1.0)
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class Digits(Launch):
    """Trains a small classifier of scikit-learn's digits, then a generator of its pathways, and scores it.

    Attributes:
        out: Folder of the run; the same command continues a run that was stopped.
        seed: Of initialisation, order and draws.
    """

    out: Path = Path("runs/digits")
    seed: int = 0
    classifier: ClassifierOptions = dataclasses.field(default_factory=ClassifierOptions)
    generator: GeneratorOptions = dataclasses.field(
        default_factory=lambda: GeneratorOptions(steps=500, width=32, augment="shift", checkpoint_every=250)
    )


@dataclasses.dataclass(frozen=True, kw_only=True)
class TargetRun(DataOptions, Launch):
    """Trains a classifier, from scratch or from weights of another one, for those who bring data.

    Attributes:
        model: Name of the target.
        out: Folder of the run; the same command continues a run that was stopped.
        num_classes: Classes of the target; None takes all that the data list. Fewer are those that have
            pictures, of data whose list names more.
        image_size: Side of the square images that the target takes; None keeps its own.
        epochs: Passes over the training images, in place of train_steps.
        seed: Of initialisation, order and the held-out share.
    """

    model: str = "resnet20"
    out: Path = Path("runs/target")
    eval_split: str | None = AUTO
    eval_fraction: float = 0.1
    num_classes: int | None = None
    image_size: int | None = None
    epochs: float | None = None
    seed: int = 0
    classifier: ClassifierOptions = dataclasses.field(default_factory=ClassifierOptions)


def open_study(options: GeneratorRun) -> Study:
    """The classifier, its parameters, the images to learn from, and those to score.

    Raises:
        InputError: The data, the model or the weights cannot be opened, or do not fit each other.
    """
    train, held_out = open_data(options, seed=options.seed)
    channels = target_options(train).get("channels")
    classes = options.num_classes
    if options.loading.target is not None and classes == type(options).num_classes:
        classes = None  # of a data set's networks, such as ten for CIFAR-10; not asked for
    shape = {"num_classes": classes, "image_size": options.image_size, "channels": channels}
    precision = options.generator.precision
    net = load_net(
        options.model, options.weights, options=options.loading, like=train, dtype=precision, **shape
    )
    # A generator learns from what the classifier says; without labels there is no accuracy, and that is all.
    return with_boxes_of(make_study(net, train, held_out, labels_needed=False), options.boxes)


def run_generator(options: GeneratorRun) -> Evaluation:
    """Opens classifier and data, trains a generator, scores it on held-out images, writes everything."""
    run = begin(options)
    study = open_study(options)
    run = run.knowing(**known_by(study))
    generator = with_epochs(options.generator, options.epochs, study.train)
    say(f"generator: pathways of the frozen {study.target.name}, {len(study.train)} training images")
    trained = train_generator(study.target, study.params, study.train, generator, run=run)
    return report_generator(study, trained, generator, run=run)


def run_digits(options: Digits) -> Evaluation:
    """Trains a classifier of digits, then a generator for it, and scores that on held-out digits."""
    run = begin(options)
    target = targets.resnet8(image_size=8, channels=1)
    train, held_out = (data.open_source("digits", split=split) for split in ("train", "test"))
    say(f"target: {target.name} on {len(train)} digits")
    params = train_classifier(target, train, options.classifier, run=run.within("target"))
    say("generator: pathways of the frozen target")
    trained = train_generator(target, params, train, options.generator, run=run)
    return report_generator(Study(target, params, train, held_out), trained, options.generator, run=run)


def _target_of(options: TargetRun, train: data.Source) -> Target:
    """The target that is to be trained, with the preprocessing of the weights that it begins with."""
    shape = target_options(train, image_size=options.image_size)
    init_from = options.classifier.start.init_from
    if init_from is None:
        return targets.make_target(options.model, **shape)
    return make_target_like(
        options.model, init_from, like=train, num_classes=train.num_classes, image_size=options.image_size
    )


def run_target(options: TargetRun) -> float:
    """Trains a classifier; returns its accuracy on held-out images."""
    classifier = options.classifier
    classifier.start.check()
    run = begin(options)
    train, held_out = open_data(options, seed=options.seed)
    if options.num_classes is not None:
        train, held_out = data.present_classes([train, held_out], options.num_classes)
    target = _target_of(options, train)
    check_data(target, train, held_out)
    if options.epochs is not None:
        steps = steps_of(options.epochs, train, classifier.train_batch_size)
        classifier = dataclasses.replace(classifier, train_steps=steps)
    params = train_classifier(target, train, classifier, run=run)
    accuracy, warnings = classify(target, params, held_out)
    say(f"accuracy on {len(held_out)} held-out images: {accuracy:.4f}")
    figures = {"target_accuracy": accuracy, "num_images": len(held_out), "warnings": warnings}
    write_results(figures, run=run)
    say(f"weights: {run.out / WEIGHTS}")
    return accuracy
