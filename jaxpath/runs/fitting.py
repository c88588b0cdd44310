"""One training in the folder of its run: checkpoints, logs, schedule."""

import dataclasses
from typing import NamedTuple

import jax
import optax

from jaxpath import data, training
from jaxpath.runs.options import GeneratorOptions
from jaxpath.runs.run import Run
from jaxpath.training.checkpoints import Checkpoints
from jaxpath.types import Params


class Problem(NamedTuple):
    """What a training starts from and what it repeats.

    Attributes:
        state: Before the first step.
        step: From :func:`jaxpath.training.make_train_step`.
        frozen: What the step uses and does not train.
        mesh: The devices of the step.
    """

    state: training.TrainState
    step: training.Step
    frozen: Params
    mesh: jax.sharding.Mesh


class Pace(NamedTuple):
    """How long a training is, and how often it writes.

    Attributes:
        num_steps: Steps of the whole run.
        checkpoint_every: Steps between two checkpoints.
        log_every: Steps between two logged ones.
    """

    num_steps: int
    checkpoint_every: int
    log_every: int = 10


def fit(
    problem: Problem,
    batches: data.Batches,
    pace: Pace,
    *,
    run: Run,
    title: str,
    checkpoints: str | None = None,
) -> training.FitResult:
    """Runs or continues a training whose folder is ``run.out``, and closes what it opened.

    Args:
        problem: What is trained.
        batches: This process's batches; closed at the end.
        pace: How long.
        run: Where, and its configuration.
        title: What to call it in the terminal.
        checkpoints: Folder of the checkpoints; None takes ``checkpoints/`` in the run's folder.
    """
    folder = checkpoints or run.out / "checkpoints"
    saver = Checkpoints(folder, config=run.config or {}, save_every=pace.checkpoint_every)
    try:
        return training.fit(
            problem.state,
            problem.step,
            batches,
            problem.frozen,
            num_steps=pace.num_steps,
            mesh=problem.mesh,
            storage=training.Storage(saver, training.MetricLog(run.out), pace.log_every),
            title=title,
        )
    finally:
        batches.close()
        saver.close()


def warmup_cosine(peak: float, num_steps: int, *, warmup: float = 0.1) -> optax.Schedule:
    """A rate that rises from 0 to ``peak`` over a share of the steps and falls by a cosine to 0."""
    return optax.warmup_cosine_decay_schedule(0.0, peak, max(1, int(num_steps * warmup)), max(2, num_steps))


def steps_of(epochs: float, source: data.Source, batch_size: int) -> int:
    """Steps that ``epochs`` passes over ``source`` take, at least one."""
    return max(1, round(epochs * len(source) / batch_size))


def with_epochs(options: GeneratorOptions, epochs: float | None, source: data.Source) -> GeneratorOptions:
    """``options`` with the steps that ``epochs`` passes over ``source`` take; None leaves their number."""
    if epochs is None:
        return options
    return dataclasses.replace(options, steps=steps_of(epochs, source, options.batch_size))
