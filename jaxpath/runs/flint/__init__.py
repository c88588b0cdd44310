"""Whole runs of FLINT: interpreters trained, scored and reported."""

from jaxpath.runs.flint.attribute_pathways import PATHWAY_DENSITY, AttributePathways, attribute_pathways
from jaxpath.runs.flint.evaluation import InterpreterEvaluation, evaluate_interpreter
from jaxpath.runs.flint.figures import decisions_to_show, plot_decisions, plot_interpreter
from jaxpath.runs.flint.maximised import as_pictures, plot_maximised, strongest_pairs
from jaxpath.runs.flint.options import FlintOptions, apply_options
from jaxpath.runs.flint.recipes import (
    CIFAR10,
    MNIST,
    QUICKDRAW,
    Published,
    make_optimizer,
    post_hoc_recipe,
    recipe_steps,
    stretched,
)
from jaxpath.runs.flint.reporting import INTERPRETER, JointRun, report_interpreter, run_joint
from jaxpath.runs.flint.sample import TrainingSample, draw_sample, interpret_source
from jaxpath.runs.flint.training import TrainedInterpreter, train_joint, train_post_hoc

__all__ = [
    "CIFAR10",
    "INTERPRETER",
    "MNIST",
    "PATHWAY_DENSITY",
    "QUICKDRAW",
    "AttributePathways",
    "FlintOptions",
    "InterpreterEvaluation",
    "JointRun",
    "Published",
    "TrainedInterpreter",
    "TrainingSample",
    "apply_options",
    "as_pictures",
    "attribute_pathways",
    "decisions_to_show",
    "draw_sample",
    "evaluate_interpreter",
    "interpret_source",
    "make_optimizer",
    "plot_decisions",
    "plot_interpreter",
    "plot_maximised",
    "post_hoc_recipe",
    "recipe_steps",
    "report_interpreter",
    "run_joint",
    "stretched",
    "strongest_pairs",
    "train_joint",
    "train_post_hoc",
]
