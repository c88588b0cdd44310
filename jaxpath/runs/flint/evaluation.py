"""A trained interpreter on images that it has not learned from."""

from typing import Any, NamedTuple

import numpy as np

from jaxpath import flint, metrics
from jaxpath.runs.flint.attribute_pathways import AttributePathways, attribute_pathways
from jaxpath.runs.flint.options import FlintOptions
from jaxpath.runs.flint.sample import TrainingSample, draw_sample, interpret_source
from jaxpath.runs.flint.training import TrainedInterpreter
from jaxpath.runs.study import Study


class InterpreterEvaluation(NamedTuple):
    """A trained interpreter on a data set.

    Attributes:
        figures: Every metric by its name.
        held_out: What target and interpreter say of the held-out images.
        kernel: Of the linear layer on the attributes, [J, K].
        sample: Training images, from which relevance and activating samples come, as published.
        pathways: The channels that carry each live attribute.
    """

    figures: dict[str, Any]
    held_out: flint.Interpretations
    kernel: np.ndarray
    sample: TrainingSample
    pathways: AttributePathways


def evaluate_interpreter(
    study: Study, trained: TrainedInterpreter, options: FlintOptions, *, seed: int = 0
) -> InterpreterEvaluation:
    """Scores an interpreter on images that it has not learned from.

    Args:
        study: The classifier, with the parameters of ``trained``, and its images.
        trained: The interpreter.
        options: Says how images are read, and how many training images the relevance is found from.
        seed: Of the choice of these.
    """
    kernel = np.asarray(flint.head_kernel(trained.params))
    held_out = interpret_source(study, trained, study.held_out, options)
    sample = draw_sample(study, trained, options, seed=seed)
    pathways = attribute_pathways(study, trained, sample)
    figures = {
        **flint.evaluate(held_out, kernel),
        "dead_attributes": len(flint.dead_attributes(sample.relevance)),
        "num_attributes": kernel.shape[0],
        "num_images": len(held_out.labels),
        "warnings": chance_warnings(held_out, study.target.num_classes),
        "pathway_keeps": pathways.keeps,
        "random_channels_keep": pathways.random_keeps,
    }
    return InterpreterEvaluation(figures, held_out, kernel, sample, pathways)


def chance_warnings(held_out: flint.Interpretations, num_classes: int) -> list[str]:
    """That the classifier or its interpreter is at chance, or nothing.

    Args:
        held_out: What both say of labelled images.
        num_classes: K.
    """
    labels = held_out.labels
    causes = "its attributes are dead, or it is hardly trained: more --epochs, or a higher --learning-rate"
    return [
        *metrics.chance_warnings(held_out.predicted, labels, num_classes),
        *metrics.chance_warnings(held_out.guessed, labels, num_classes, who="the interpreter", causes=causes),
    ]
