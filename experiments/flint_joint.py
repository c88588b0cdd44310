"""Trains a classifier together with its interpreter: what the experiments with a published recipe share."""

import dataclasses
from collections.abc import Callable
from pathlib import Path

import common
import fitting
import flint_fitting
import flint_outcome
import jax
from flint_fitting import FlintOptions

from jaxpath import data, flint, targets
from jaxpath.types import Target


@dataclasses.dataclass(frozen=True)
class JointOptions(common.Launch):
    """A run by a published recipe.

    Attributes:
        data: .npz file with training and test images, or another form that jaxpath.data.open_source takes.
        out: Folder of the run; the same command continues a run that was stopped.
        seed: Of initialisation, order and draws.
    """

    data: str
    out: Path
    seed: int = 0
    flint: FlintOptions = dataclasses.field(default_factory=FlintOptions)


def run_joint(
    options: JointOptions,
    make_target: Callable[..., Target],
    recipe: flint.Recipe,
    *,
    train: data.Source,
    held_out: data.Source,
    began: float,
    maximisation: flint.Maximisation = flint.MNIST_MAXIMISATION,
) -> None:
    """Trains a classifier with its interpreter by ``recipe`` as the options change it, and reports."""
    target = make_target(**common.target_options(train))
    common.check_data(target, train, held_out)
    config = common.as_config(options)
    trained = flint_fitting.train_joint(
        target,
        train,
        flint_fitting.apply_options(recipe, options.flint),
        options.flint,
        out=options.out,
        seed=options.seed,
        config=config,
    )
    if jax.process_index() == 0:
        targets.save_weights(target, trained.target_params, options.out / fitting.WEIGHTS)
    flint_outcome.report_interpreter(
        target,
        trained,
        held_out=held_out,
        train=train,
        options=options.flint,
        out=options.out,
        seed=options.seed,
        config=config,
        began=began,
        maximisation=maximisation,
    )
