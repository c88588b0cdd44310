"""The figure of attributes: images that raise each, and the pictures that maximise it."""

import jax.numpy as jnp
import numpy as np

from jaxpath import data, flint, report, targets
from jaxpath.report.figures import Figure
from jaxpath.runs.flint.evaluation import InterpreterEvaluation
from jaxpath.runs.flint.sample import TrainingSample
from jaxpath.runs.flint.training import TrainedInterpreter
from jaxpath.runs.run import say
from jaxpath.runs.study import Study
from jaxpath.types import Preprocessing

_SHOWN = 0.1
"""Global relevance from which an attribute is drawn for a class (official code, MNIST)."""

_SAMPLES = 3
"""Images of each attribute."""


def plot_maximised(
    study: Study,
    trained: TrainedInterpreter,
    evaluation: InterpreterEvaluation,
    *,
    most: int,
    maximisation: flint.Maximisation = flint.MNIST_MAXIMISATION,
) -> Figure | None:
    """The pairs of class and attribute that matter most, all attributes first; None if none matters.

    Args:
        study: The classifier, with the parameters of ``trained``, and its images.
        trained: The interpreter.
        evaluation: From :func:`evaluate_interpreter`.
        most: Number of pairs.
        maximisation: How the pictures are made.
    """
    sample = evaluation.sample
    activations = sample.interpretations
    rows = flint.maximum_activating_samples(
        activations.attributes, activations.labels, num_classes=study.target.num_classes, top=_SAMPLES
    )
    pairs = [(c, j) for c, j in strongest_pairs(sample.relevance) if (rows[c, j] >= 0).all()][:most]
    if not pairs:
        say(f"no attribute is drawn: none has a global relevance above {_SHOWN} and {_SAMPLES} images")
        return None
    say(f"activation maximisation of {len(pairs)} attributes from {_SAMPLES} images each")
    places = np.concatenate([rows[c, j] for c, j in pairs])
    raised = flint.maximise_attributes(
        study.target,
        trained.interpreter,
        study.params,
        trained.params,
        targets.normalize(jnp.asarray(sample.images[places]), study.target.preprocessing),
        np.repeat([j for _, j in pairs], _SAMPLES),
        maximisation,
    )
    pictures = as_pictures(np.asarray(raised), study.target.preprocessing)
    views = _views(pairs, sample, places, pictures)
    return report.plot_attributes(views, data.names_of_classes(study.held_out, study.target.num_classes))


def _views(
    pairs: list[tuple[int, int]], sample: TrainingSample, places: np.ndarray, pictures: np.ndarray
) -> list[report.AttributeView]:
    """One row of the figure for each pair, of :data:`_SAMPLES` images and as many pictures."""
    rows = [slice(_SAMPLES * pair, _SAMPLES * (pair + 1)) for pair in range(len(pairs))]
    return [
        report.AttributeView(j, c, float(sample.relevance[c, j]), sample.images[places[row]], pictures[row])
        for row, (c, j) in zip(rows, pairs, strict=True)
    ]


def strongest_pairs(relevance: np.ndarray) -> list[tuple[int, int]]:
    """(class, attribute) by falling relevance above .1; the best pair of each attribute first.

    >>> strongest_pairs(np.array([[0.9, 0.2], [0.5, 0.05]]))
    [(0, 0), (0, 1), (1, 0)]
    """
    known = np.nan_to_num(relevance)
    pairs = [(int(c), int(j)) for c, j in np.argwhere(known > _SHOWN)]
    best = known.argmax(axis=0)
    return sorted(pairs, key=lambda pair: (best[pair[1]] != pair[0], -known[pair]))


def as_pictures(images: np.ndarray, preprocessing: Preprocessing) -> np.ndarray:
    """Normalised images [B, H, W, C] as grey pictures [B, H, W, 1] in [0, 1].

    Colours are averaged and stretched over what occurs in each picture (CIFAR-10 is shown so in the official
    code); images that are scaled to [0, 1] are shown as they are.
    """
    grey = images.mean(axis=-1, keepdims=True)
    if not any(preprocessing.mean):
        return np.clip(grey, 0, 1)
    low, high = grey.min(axis=(1, 2, 3), keepdims=True), grey.max(axis=(1, 2, 3), keepdims=True)
    return (grey - low) / np.maximum(high - low, 1e-6)
