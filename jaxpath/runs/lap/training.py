"""Trains LAP nets: from scratch beside a plain one, and plugged into a trained classifier."""

import contextlib
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax
import optax

from jaxpath import data, lap, targets, training
from jaxpath.devices import check_batch_size, make_mesh
from jaxpath.runs.classifiers import names_for, train_classifier
from jaxpath.runs.features import Views
from jaxpath.runs.lap.options import LapOptions, PlugInOptions
from jaxpath.runs.lap.watching import Watching
from jaxpath.runs.nets import Net
from jaxpath.runs.options import ClassifierOptions
from jaxpath.runs.run import Run, names_of, say
from jaxpath.runs.schedules import steps_of, warmup_cosine
from jaxpath.runs.start_options import fixed_views
from jaxpath.targets.objective import ScheduleState
from jaxpath.types import InputError, Objective, Target

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
    batches: Callable[[], data.Batches | data.ArrayBatches]


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
        partial(_image_batches, target, source, options, "none", run),
    )
    return _save(target, *_fit(stage, options, run), source, run)


def plug_in(
    target: Target,
    plain: Net,
    source: data.Source,
    options: PlugInOptions,
    *,
    run: Run,
    knowledge: lap.Knowledge | None = None,
) -> Net:
    """Fits attention to a trained net stage by stage; continues what the run's folder holds.

    BatchNorm's running statistics stay as they are.

    Args:
        target: From :func:`jaxpath.lap.extend`.
        plain: The same net with ordinary pooling, and its parameters.
        source: The training images.
        options: The stages.
        run: Its folder, in which :data:`LAP_WEIGHTS` is left, seed and configuration.
        knowledge: Where some of the images show their class; None: nowhere is known.

    Raises:
        InputError: As in :func:`train_from_scratch`, ``plain`` is another net, or known regions would not fit
            augmented images.
    """
    views = fixed_views(options.views, options.augment)
    if knowledge is not None and options.augment != "none":
        raise InputError(
            f"--augment is {options.augment}, but known regions are those of the pictures as they are; leave "
            "--augment out"
        )
    fresh = lap.keep_weights(target, plain.params, key=jax.random.key(run.seed))
    told = {} if knowledge is None else {"knowledge": targets.digest(knowledge)}
    run = run.decided_by(options, **names_of(target, source, fresh), **told)
    start = lap.init_training(target, fresh, key=jax.random.key(run.seed + 1))
    for number, plan in enumerate(options.stages()):
        num_steps = steps_of(plan.epochs, source, options.batch_size)
        say(f"stage {number + 1}: {plan.trainable}, {num_steps} steps of {options.batch_size} images")
        weights = options.loss.as_weights()._replace(classification=plan.classify)
        part = run.within(f"stage{number + 1}", seed=run.seed + number)
        labels = lap.trainable_labels(target, start[0], plan.trainable)
        forward: lap.Forward | None = None
        batches: Callable[[], Any] = partial(_image_batches, target, source, options, options.augment, part)
        if views is not None and plan.trainable in ("heads", "sharp_heads"):
            watching = Watching(target, plain.target, fresh, labels)
            forward = watching.forward
            seen = Views(views, options.augment, options.batch_size)
            batches = partial(watching.batches, source, seen, run=part)
        stage = _Stage(
            plan.trainable,
            num_steps,
            start,
            lap.make_objective(
                target,
                lap.constant(weights),
                statistics="frozen",
                labels=labels,
                forward=forward,
            ),
            lap.make_optimizer(
                warmup_cosine(plan.learning_rate, num_steps), target, start[0], plan.trainable
            ),
            lap.no_knowledge() if knowledge is None else knowledge,
            batches,
        )
        start = _fit(stage, options, part)
    return _save(target, *start, source, run)


def _image_batches(
    target: Target, source: data.Source, options: LapOptions | PlugInOptions, augment: str, run: Run
) -> data.Batches:
    return data.train_batches(
        source,
        batch_size=options.batch_size,
        preprocessing=target.preprocessing,
        seed=run.seed,
        augment=augment,
        reading=data.Reading(options.num_workers),
    )


def _fit(stage: _Stage, options: LapOptions | PlugInOptions, run: Run) -> tuple[Any, ScheduleState]:
    mesh = make_mesh()
    check_batch_size(options.batch_size, mesh)
    params, progress = stage.start
    key = jax.random.key(run.seed + 2)
    state = training.create_state(params, stage.optimizer, key=key, extra=progress)
    step = training.make_train_step(stage.objective, stage.optimizer, mesh)
    opened = run.storage(checkpoint_every=options.checkpoint_every)
    with opened as storage, contextlib.closing(stage.batches()) as batches:
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
