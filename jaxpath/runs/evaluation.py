"""An explainer on held-out images, and class pathways transferred to them."""

from typing import Any, NamedTuple

import numpy as np

from jaxpath import data, metrics
from jaxpath.metrics import Method, Session
from jaxpath.runs.boxes import boxes_seen, with_boxes
from jaxpath.runs.generators import TrainedGenerator
from jaxpath.runs.options import GeneratorOptions
from jaxpath.runs.saliency import describe_localisation, localise
from jaxpath.runs.study import Study, images_at_once, open_session


class Evaluation(NamedTuple):
    """An explainer on held-out images.

    Attributes:
        figures: Every metric by its name; with boxes ``localisation``, whether saliency points at the
            objects (:func:`~jaxpath.runs.saliency.describe_localisation`); with class pathways ``transfer``
            (rows of :func:`jaxpath.metrics.transfer`) and what :func:`jaxpath.metrics.class_transfer` says of
            the classes that the training images have.
        records: The explained images.
        frequencies: How often the pathways of each class keep each channel, [K, N]; None if no class
            pathways are learned.
        localised: What :func:`~jaxpath.runs.saliency.localise` says of each image; None without boxes.
    """

    figures: dict[str, Any]
    records: metrics.Records
    frequencies: np.ndarray | None
    localised: dict[str, np.ndarray] | None = None


def evaluate_generator(
    study: Study, trained: TrainedGenerator, options: GeneratorOptions, *, seed: int = 0
) -> Evaluation:
    """Scores a trained generator on images that it has not learned from.

    Args:
        study: The classifier and its images.
        trained: The generator.
        options: Says how images are read, and from how many class pathways are learned.
        seed: Of the choice of images.
    """
    return evaluate_method(study, trained.method(study.target, seed=seed), options)


def evaluate_method(study: Study, method: Method, options: GeneratorOptions) -> Evaluation:
    """Scores an explainer on held-out images, and transfers class pathways to them.

    Class pathways are learned from a random part of the training images.

    Args:
        study: The classifier and its images.
        method: The explainer; its seed is that of all draws.
        options: Says how images are read, and from how many class pathways are learned.
    """
    size = min(options.batch_size, images_at_once(study.target))
    session = open_session(study.target, study.params, batch_size=size)
    passes = passes_over(session, study.held_out, options)
    boxes = boxes_seen(study.held_out, study.target.preprocessing)
    if boxes is not None:
        passes = with_boxes(passes, boxes)
    records = metrics.explain_all(session, method, passes)
    figures = metrics.evaluate_records(session, records, passes, seed=method.seed)
    localised = None
    if boxes is not None:
        localised = localise(session, method, passes)
        figures["localisation"] = describe_localisation(localised, seed=method.seed)
    if not options.class_pathway_images:
        return Evaluation(figures, records, None, localised)
    part = data.draw(study.train, options.class_pathway_images, seed=method.seed)
    learned = metrics.explain_all(session, method, passes_over(session, part, options))
    frequencies = metrics.source_frequencies(learned, study.target.num_classes)
    figures["transfer"] = metrics.transfer(session, frequencies, records, passes, seed=method.seed)
    classes = _classes_of(learned, study.target.num_classes)
    figures |= metrics.class_transfer(
        session, frequencies, records, passes, classes=classes, seed=method.seed
    )
    return Evaluation(figures, records, frequencies, localised)


def _classes_of(records: metrics.Records, num_classes: int) -> np.ndarray:
    """Which of the classifier's classes the images are of, bool [K]; all where they have no labels."""
    if not records.are_labelled:
        return np.ones(num_classes, bool)
    return np.isin(np.arange(num_classes), records.labels)


def passes_over(session: Session, source: data.Source, options: GeneratorOptions) -> metrics.Passes:
    """Passes over ``source``, read as ``options`` say."""
    reading = data.Reading(options.num_workers, skip_unreadable=options.skip_unreadable)
    return metrics.source_passes(session, source, reading=reading)
