"""FLINT: classifiers that learn their own explanation, and attributes for a frozen one (arXiv 2010.09345)."""

from jaxpath.flint.as_targets import attribute_target, interpreter_target
from jaxpath.flint.evaluation import Interpretations, dead_attributes, evaluate, interpret_all
from jaxpath.flint.files import load_interpreter, save_interpreter
from jaxpath.flint.interpreter import (
    Interpreter,
    InterpreterOutput,
    default_sites,
    head_kernel,
    init_interpreter,
    interpret,
    make_interpreter,
)
from jaxpath.flint.maximisation import (
    CIFAR10_MAXIMISATION,
    MNIST_MAXIMISATION,
    Maximisation,
    activation_maximisation,
    maximise_attributes,
)
from jaxpath.flint.objective import (
    Forward,
    WeightsAt,
    flint_losses,
    make_objective,
    make_post_hoc_objective,
    run_post_hoc,
)
from jaxpath.flint.recipes import (
    CIFAR10,
    MNIST,
    QUICKDRAW,
    LossWeights,
    Recipe,
    Stages,
    adam,
    by_step,
    stage_weights,
)
from jaxpath.flint.relevance import (
    TAUS,
    absolute_conciseness,
    conciseness,
    contributions,
    global_relevance,
    local_relevance,
    maximum_activating_samples,
)

__all__ = [
    "CIFAR10",
    "CIFAR10_MAXIMISATION",
    "MNIST",
    "MNIST_MAXIMISATION",
    "QUICKDRAW",
    "TAUS",
    "Forward",
    "Interpretations",
    "Interpreter",
    "InterpreterOutput",
    "LossWeights",
    "Maximisation",
    "Recipe",
    "Stages",
    "WeightsAt",
    "absolute_conciseness",
    "activation_maximisation",
    "adam",
    "attribute_target",
    "by_step",
    "conciseness",
    "contributions",
    "dead_attributes",
    "default_sites",
    "evaluate",
    "flint_losses",
    "global_relevance",
    "head_kernel",
    "init_interpreter",
    "interpret",
    "interpret_all",
    "interpreter_target",
    "load_interpreter",
    "local_relevance",
    "make_interpreter",
    "make_objective",
    "make_post_hoc_objective",
    "maximise_attributes",
    "maximum_activating_samples",
    "run_post_hoc",
    "save_interpreter",
    "stage_weights",
]
