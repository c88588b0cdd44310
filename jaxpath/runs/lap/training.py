"""Trains LAP nets: from scratch beside a plain one, and plugged into a trained classifier."""

import contextlib
from typing import Any, NamedTuple

import jax
import optax

from jaxpath import data, lap, targets, training
from jaxpath.devices import check_batch_size, make_mesh
from jaxpath.runs.classifiers import names_for, train_classifier
from jaxpath.runs.lap.options import LapOptions, PlugInOptions
from jaxpath.runs.nets import Net
from jaxpath.runs.options import ClassifierOptions
from jaxpath.runs.run import Run, names_of, say
from jaxpath.runs.schedules import steps_of, warmup_cosine
from jaxpath.targets.objective import ScheduleState
from jaxpath.types import Objective, Params, Target

LAP_WEIGHTS = "lap.safetensors"
"""A trained LAP net in the folder of its run."""


class _Stage(NamedTuple):
    """One training of a LAP net."""

    title: str
    num_steps: int
    start: tuple[Any, ScheduleState]
    objective: Objective
    optimizer: optax.GradientTransformation
    knowledge: lap.Knowledge
    augment: str = "none"


def train_plain(target: Target, source: data.Source, options: LapOptions, *, run: Run) -> Net:
    """Trains the ordinary net, by the same number of steps of the same size and rate as a LAP net.

    Args:
        target: The net.
        source: The training images.
        options: Of the LAP net.
        run: Its folder, seed and configuration.
    """
    classifier = ClassifierOptions(
        train_steps=steps_of(options.epochs, source, options.batch_size),
        train_batch_size=options.batch_size,
        train_learning_rate=options.learning_rate,
        train_weight_decay=0.0,
        train_augment="none",
    )
    return Net(target, train_classifier(target, source, classifier, run=run))


def train_from_scratch(
    target: Target,
    source: data.Source,
    options: LapOptions,
    *,
    run: Run,
    knowledge: lap.Knowledge | None = None,
) -> Net:
    """Trains a LAP net; continues what the run's folder holds.

    Args:
        target: From :func:`jaxpath.lap.extend`.
        source: The training images.
        options: How it is trained.
        run: Its folder, in which :data:`LAP_WEIGHTS` is left, seed and configuration.
        knowledge: Where some of the images show their class; None: nowhere is known.

    Raises:
        InputError: The batch does not divide over the devices, or the folder holds another run.
    """
    fresh = target.init(jax.random.key(run.seed))
    knowledge = lap.no_knowledge() if knowledge is None else knowledge
    # The fresh parameters tell sharpness and gates, which are initial values of some of them.
    more = {**names_of(target, source, fresh), "knowledge": targets.digest(knowledge)}
    run = run.decided_by(options, **more)
    num_steps = steps_of(options.epochs, source, options.batch_size)
    params, progress = lap.init_training(target, fresh, key=jax.random.key(run.seed + 1))
    schedule = warmup_cosine(options.learning_rate, num_steps)
    stage = _Stage(
        "LAP",
        num_steps,
        (params, progress),
        lap.make_objective(target, lap.ramped(options.loss.as_weights(), num_steps)),
        lap.make_optimizer(schedule, target, params, "all", theta_rate=1.0),
        knowledge,
    )
    return _save(target, *_fit(stage, target, source, options, run), source, run)


def plug_in(target: Target, params: Params, source: data.Source, options: PlugInOptions, *, run: Run) -> Net:
    """Fits attention to a trained net stage by stage; continues what the run's folder holds.

    BatchNorm's running statistics stay as they are.

    Args:
        target: From :func:`jaxpath.lap.extend`.
        params: Of the same net with ordinary pooling.
        source: The training images.
        options: The stages.
        run: Its folder, in which :data:`LAP_WEIGHTS` is left, seed and configuration.

    Raises:
        InputError: As in :func:`train_from_scratch`, or ``params`` are of another net.
    """
    fresh = lap.keep_weights(target, params, key=jax.random.key(run.seed))
    run = run.decided_by(options, **names_of(target, source, fresh))
    start = lap.init_training(target, fresh, key=jax.random.key(run.seed + 1))
    for number, plan in enumerate(options.stages()):
        num_steps = steps_of(plan.epochs, source, options.batch_size)
        say(f"stage {number + 1}: {plan.trainable}, {num_steps} steps of {options.batch_size} images")
        weights = options.loss.as_weights()._replace(classification=float(plan.classify))
        stage = _Stage(
            plan.trainable,
            num_steps,
            start,
            lap.make_objective(
                target,
                lap.constant(weights),
                statistics="frozen",
                labels=lap.trainable_labels(target, start[0], plan.trainable),
            ),
            lap.make_optimizer(
                warmup_cosine(plan.learning_rate, num_steps), target, start[0], plan.trainable
            ),
            lap.no_knowledge(),
            options.augment,
        )
        part = run.within(f"stage{number + 1}", seed=run.seed + number)
        start = _fit(stage, target, source, options, part)
    return _save(target, *start, source, run)


def _fit(
    stage: _Stage, target: Target, source: data.Source, options: LapOptions | PlugInOptions, run: Run
) -> tuple[Any, ScheduleState]:
    mesh = make_mesh()
    check_batch_size(options.batch_size, mesh)
    params, progress = stage.start
    batches = data.train_batches(
        source,
        batch_size=options.batch_size,
        preprocessing=target.preprocessing,
        seed=run.seed,
        augment=stage.augment,
        reading=data.Reading(options.num_workers),
    )
    key = jax.random.key(run.seed + 2)
    state = training.create_state(params, stage.optimizer, key=key, extra=progress)
    step = training.make_train_step(stage.objective, stage.optimizer, mesh)
    opened = run.storage(checkpoint_every=options.checkpoint_every)
    with opened as storage, contextlib.closing(batches):
        result = training.fit(
            state,
            step,
            batches,
            stage.knowledge,
            num_steps=stage.num_steps,
            mesh=mesh,
            storage=storage,
            title=stage.title,
        )
    return result.state.params, result.state.extra


def _save(target: Target, params: Any, progress: ScheduleState, source: data.Source, run: Run) -> Net:
    """The trained net, whose weights are written."""
    trained = lap.trained_params(params, progress)
    if jax.process_index() == 0:
        targets.save_weights(target, trained, run.out / LAP_WEIGHTS, class_names=names_for(target, source))
    return Net(target, trained)
