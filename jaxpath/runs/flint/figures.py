"""Figures of an interpreter: decisions, relevance, conciseness, and the pathways of attributes."""

import numpy as np

from jaxpath import data, flint, report
from jaxpath.report.figures import Figure
from jaxpath.runs.flint.attribute_pathways import PATHWAY_DENSITY
from jaxpath.runs.flint.evaluation import InterpreterEvaluation
from jaxpath.runs.flint.training import TrainedInterpreter
from jaxpath.runs.pictures import read_pictures
from jaxpath.runs.study import Study

_LOCAL = 12
"""Images that the figure of decisions shows."""


def plot_interpreter(
    study: Study, trained: TrainedInterpreter, evaluation: InterpreterEvaluation
) -> dict[str, Figure]:
    """Every figure that needs no maximisation.

    Args:
        study: The classifier and its images.
        trained: The interpreter.
        evaluation: From :func:`evaluate_interpreter`.

    Returns:
        File name -> figure; ``attribute_pathways.png`` is missing if all attributes are dead.
    """
    names = data.names_of_classes(study.held_out, study.target.num_classes)
    curve = {tau: evaluation.figures[f"cns_{tau:g}"] for tau in flint.TAUS}
    relevance = evaluation.sample.relevance
    predicted = np.flatnonzero(np.isfinite(relevance).all(axis=1))
    figures = {
        "local_relevance.png": plot_decisions(study, evaluation),
        "conciseness.png": report.plot_conciseness({study.target.name: curve}),
        "global_relevance.png": report.plot_global_relevance(
            relevance[predicted], [names[label] for label in predicted]
        ),
    }
    if evaluation.pathways.frequencies:
        figures["attribute_pathways.png"] = report.plot_class_pathways(
            evaluation.pathways.frequencies,
            trained.interpreter.sites,
            [f"attribute {j}" for j in range(trained.interpreter.num_attributes)],
            title=f"Pathways of attributes: {PATHWAY_DENSITY:.0%} of the channels of each map",
        )
    return figures


def plot_decisions(study: Study, evaluation: InterpreterEvaluation) -> Figure:
    """One held-out image per class with its most relevant attributes, and two flagged ones.

    Args:
        study: The classifier and its images.
        evaluation: From :func:`evaluate_interpreter`.
    """
    interpretations = evaluation.held_out
    rows = decisions_to_show(interpretations)
    part = data.Subset(study.held_out, interpretations.indices[rows])
    guessed = interpretations.guessed[rows]
    alpha = flint.contributions(interpretations.attributes[rows], evaluation.kernel, guessed)
    return report.plot_local_relevance(
        read_pictures(part, study.target.preprocessing)["image"],
        flint.local_relevance(alpha),
        labels=interpretations.labels[rows],
        predicted=interpretations.predicted[rows],
        guessed=guessed,
        class_names=data.names_of_classes(study.held_out, study.target.num_classes),
    )


def decisions_to_show(interpretations: flint.Interpretations, *, most: int = _LOCAL) -> np.ndarray:
    """Rows of the first image of each class that is explained, then of the first ones that are flagged.

    Args:
        interpretations: Of a data set.
        most: Number of rows, of which flagged ones take at most a sixth.
    """
    explained = interpretations.guessed == interpretations.predicted
    flagged = np.flatnonzero(~explained)[: most // 6]
    _, first = np.unique(interpretations.guessed[explained], return_index=True)
    return np.concatenate([np.flatnonzero(explained)[first][: most - len(flagged)], flagged])
