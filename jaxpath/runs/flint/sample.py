"""What target and interpreter say of images: of those to score, and of some that were learned from."""

from typing import NamedTuple

import numpy as np

from jaxpath import data, flint, metrics
from jaxpath.runs.flint.options import FlintOptions
from jaxpath.runs.flint.training import TrainedInterpreter
from jaxpath.runs.pictures import read_pictures
from jaxpath.runs.study import Study, images_at_once, open_session


class TrainingSample(NamedTuple):
    """A random part of the training images, and what it says about the attributes.

    Attributes:
        images: uint8 [N, H, W, C].
        interpretations: Of these images.
        relevance: Global relevance [K, J]; NaN for classes that were not predicted.
    """

    images: np.ndarray
    interpretations: flint.Interpretations
    relevance: np.ndarray


def interpret_source(
    study: Study, trained: TrainedInterpreter, source: data.Source, options: FlintOptions
) -> flint.Interpretations:
    """What target and interpreter say of every image of ``source``.

    Args:
        study: The classifier, with the parameters of ``trained``.
        trained: The interpreter.
        source: The images.
        options: Says how they are read.
    """
    session = open_session(study.target, study.params, batch_size=images_at_once(study.target))
    passes = metrics.source_passes(session, source, reading=data.Reading(options.num_workers))
    return flint.interpret_all(session, trained.interpreter, trained.params, passes)


def draw_sample(
    study: Study, trained: TrainedInterpreter, options: FlintOptions, *, seed: int = 0
) -> TrainingSample:
    """Draws training images at random and interprets them.

    Args:
        study: The classifier, with the parameters of ``trained``, and its images.
        trained: The interpreter.
        options: Says how many images, and how they are read.
        seed: Of the choice.
    """
    source = data.draw(study.train, options.relevance_images, seed=seed)
    interpretations = interpret_source(study, trained, source, options)
    reading = data.Reading(options.num_workers)
    images = read_pictures(source, study.target.preprocessing, reading=reading)["image"]
    kernel = flint.head_kernel(trained.params)
    alpha = flint.contributions(interpretations.attributes, kernel, interpretations.guessed)
    relevance = flint.global_relevance(
        flint.local_relevance(alpha), interpretations.guessed, num_classes=study.target.num_classes
    )
    return TrainingSample(images, interpretations, np.asarray(relevance))
