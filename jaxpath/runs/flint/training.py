"""Trains FLINT's interpreters: together with their classifier, or for a frozen one."""

import contextlib
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

import jax

from jaxpath import data, flint, training
from jaxpath.devices import check_batch_size, make_mesh
from jaxpath.runs.features import Views
from jaxpath.runs.flint.options import FlintOptions, apply_options
from jaxpath.runs.flint.reading_once import ReadOnce
from jaxpath.runs.flint.recipes import make_optimizer, recipe_steps, stretched
from jaxpath.runs.run import Run, names_of, say
from jaxpath.runs.start_options import fixed_views
from jaxpath.targets.frozen import cast_frozen
from jaxpath.targets.objective import ScheduleState, init_schedule
from jaxpath.types import InputError, Objective, Params, Target

_LOGGED = 500
"""Steps of a run that are logged, about."""


class TrainedInterpreter(NamedTuple):
    """A trained interpreter and its classifier.

    Attributes:
        interpreter: The module.
        params: Its parameters.
        target_params: The classifier's: trained with it, or the frozen ones.
        fit: The finished training.
        recipe: What was followed.
    """

    interpreter: flint.Interpreter
    params: Params
    target_params: Params
    fit: training.FitResult
    recipe: flint.Recipe


class _Start(NamedTuple):
    """An objective and what it starts from."""

    objective: Objective
    params: Params
    schedule: ScheduleState
    frozen: Params
    batches: Callable[[], data.Batches | data.ArrayBatches]


def train_joint(
    target: Target, source: data.Source, recipe: flint.Recipe, options: FlintOptions, *, run: Run
) -> TrainedInterpreter:
    """Trains a classifier and its interpreter from scratch; continues what the run's folder holds.

    Args:
        target: The classifier.
        source: The training images.
        recipe: What is followed, such as :data:`jaxpath.flint.MNIST`; :func:`stretched` over few images,
            unless the options name epochs.
        options: What is changed of it.
        run: Its folder, seed and configuration.

    Raises:
        InputError: The recipe does not fit the classifier, the batch does not divide over the devices, or the
            folder holds another run.
    """
    if options.views is not None:
        raise InputError(
            f"--views is {options.views}, but what a classifier says of a view changes while it is trained; "
            "leave --views out"
        )
    recipe = apply_options(stretched(recipe, source) if options.epochs is None else recipe, options)
    run = run.decided_by(options, recipe=recipe, **names_of(target, source))
    variables = dict(target.init(jax.random.key(run.seed)))
    interpreter = flint.make_interpreter(target, recipe.sites, **recipe.interpreter)
    key = jax.random.key(run.seed + 1)
    params = {"interpreter": flint.init_interpreter(interpreter, target, variables, key=key)}
    params["target"] = variables.pop("params")
    objective = flint.make_objective(
        target, interpreter, _weights_at(recipe, source), reconstruction=recipe.reconstruction
    )
    batches = partial(_image_batches, target, source, recipe, options, run)
    start = _Start(objective, params, init_schedule(variables), {}, batches)
    result = _fit(start, source, recipe, options, run)
    trained = result.state.params
    target_params = {**result.state.extra.statistics, "params": trained["target"]}
    return TrainedInterpreter(interpreter, trained["interpreter"], target_params, result, recipe)


def train_post_hoc(
    target: Target,
    params: Params,
    source: data.Source,
    recipe: flint.Recipe,
    options: FlintOptions,
    *,
    run: Run,
) -> TrainedInterpreter:
    """Trains an interpreter for a frozen classifier; continues what the run's folder holds.

    Where images have fixed views, the classifier is run once for each, and the run's folder keeps what the
    interpreter reads.

    Args:
        target: The classifier.
        params: Its parameters, which stay as they are.
        source: The training images; their labels only serve the logs.
        recipe: What is followed, such as :func:`post_hoc_recipe` gives.
        options: What is changed of it.
        run: Its folder, seed and configuration.

    Raises:
        InputError: As in :func:`train_joint`, or what is kept would take too much memory.
    """
    recipe = apply_options(recipe, options)
    run = run.decided_by(options, recipe=recipe, **names_of(target, source, params))
    interpreter = flint.make_interpreter(target, recipe.sites, **recipe.interpreter)
    initial = flint.init_interpreter(interpreter, target, params, key=jax.random.key(run.seed + 1))
    frozen = cast_frozen(target, params)
    forward: flint.Forward | None = None
    batches: Callable[[], Any] = partial(_image_batches, target, source, recipe, options, run)
    views = fixed_views(options.views, options.augment)
    if views is not None:
        once = ReadOnce(target, interpreter, initial)
        forward = once.forward
        seen = Views(views, options.augment, recipe.batch_size)
        batches = partial(once.batches, frozen, source, seen, run=run)
    objective = flint.make_post_hoc_objective(
        target,
        interpreter,
        _weights_at(recipe, source),
        reconstruction=recipe.reconstruction,
        forward=forward,
    )
    start = _Start(objective, initial, init_schedule(), frozen, batches)
    result = _fit(start, source, recipe, options, run)
    return TrainedInterpreter(interpreter, result.state.params, params, result, recipe)


def _image_batches(
    target: Target, source: data.Source, recipe: flint.Recipe, options: FlintOptions, run: Run
) -> data.Batches:
    return data.train_batches(
        source,
        batch_size=recipe.batch_size,
        preprocessing=target.preprocessing,
        seed=run.seed,
        augment=options.augment,
        reading=data.Reading(options.num_workers),
    )


def _fit(
    start: _Start,
    source: data.Source,
    recipe: flint.Recipe,
    options: FlintOptions,
    run: Run,
) -> training.FitResult:
    mesh = make_mesh()
    check_batch_size(recipe.batch_size, mesh)
    num_steps = recipe_steps(recipe, source)
    say(f"{recipe.epochs:g} epochs of {len(source)} images, {num_steps} steps of {recipe.batch_size}")
    optimizer = make_optimizer(recipe, options, source)
    key = jax.random.key(run.seed + 2)
    state = training.create_state(start.params, optimizer, key=key, extra=start.schedule)
    step = training.make_train_step(start.objective, optimizer, mesh)
    log_every = max(1, num_steps // _LOGGED)
    opened = run.storage(checkpoint_every=options.checkpoint_every, log_every=log_every)
    with opened as storage, contextlib.closing(start.batches()) as batches:
        return training.fit(
            state,
            step,
            batches,
            start.frozen,
            num_steps=num_steps,
            mesh=mesh,
            storage=storage,
            title="flint",
        )


def _weights_at(recipe: flint.Recipe, source: data.Source) -> flint.WeightsAt:
    return flint.by_step(recipe.stages, batch_size=recipe.batch_size, num_examples=len(source))
