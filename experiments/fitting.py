"""Trains the classifiers and generators that the options in common.py describe."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax
from common import ClassifierOptions, GeneratorOptions, say, train_batches

from jaxpath import data, gencnp, targets, training
from jaxpath.compiling import run_once
from jaxpath.targets.objective import make_classifier_objective
from jaxpath.training.checkpoints import Checkpoints
from jaxpath.types import Params, Target

WEIGHTS = "weights.safetensors"
"""A trained classifier in the folder of its run, with torchvision's key names."""

GENERATOR = "generator.safetensors"
"""A trained generator in the folder of its run."""


class Trained(NamedTuple):
    """A trained generator.

    Attributes:
        generator: The module.
        params: Its parameters.
        fit: The finished run.
        unreadable: Files that were passed over because they are no images.
    """

    generator: gencnp.Generator
    params: Params
    fit: training.FitResult
    unreadable: tuple[str, ...]


def train_classifier(
    target: Target, source: data.Source, options: ClassifierOptions, *, out: Path, seed: int, config: Mapping
) -> Params:
    """Trains ``target`` from scratch on ``source``; continues what ``out`` holds. Returns its parameters.

    They are also written to :data:`WEIGHTS` in ``out``.
    """
    mesh = training.make_mesh()
    training.check_batch_size(options.train_batch_size, mesh)
    schedule = _schedule(options.train_learning_rate, options.train_steps)
    if options.optimizer == "adamw":
        optimizer = optax.adamw(schedule, weight_decay=options.train_weight_decay)
    else:
        optimizer = optax.chain(
            optax.add_decayed_weights(options.train_weight_decay),
            optax.sgd(schedule, momentum=0.9, nesterov=True),
        )
    variables = dict(target.init(jax.random.key(seed)))
    params = variables.pop("params")
    state = training.create_state(params, optimizer, key=jax.random.key(seed + 1), extra=variables)
    objective = make_classifier_objective(
        target,
        label_smoothing=options.label_smoothing,
        competition_weight=options.competition_weight,
    )
    result = fit(
        state,
        training.make_train_step(objective, optimizer, mesh),
        train_batches(
            source, target, batch_size=options.train_batch_size, seed=seed, augment=options.train_augment
        ),
        {},
        num_steps=options.train_steps,
        mesh=mesh,
        out=out,
        config=config,
        checkpoint_every=max(100, options.train_steps // 5),
        title="target",
    )
    trained = {**result.state.extra, "params": result.state.params}
    if jax.process_index() == 0:
        targets.save_weights(target, trained, out / WEIGHTS)
    return trained


def train_generator(
    target: Target,
    target_params: Params,
    source: data.Source,
    options: GeneratorOptions,
    *,
    out: Path,
    seed: int,
    config: Mapping,
) -> Trained:
    """Trains a generator for the frozen ``target`` on ``source``; continues what ``out`` holds.

    It is also written to :data:`GENERATOR` in ``out``.
    """
    mesh = training.make_mesh()
    training.check_batch_size(options.batch_size, mesh)
    generator = make_generator(target, options)
    create_state, step = make_generator_step(target, generator, options, mesh)
    batches = train_batches(
        source,
        target,
        batch_size=options.batch_size,
        seed=seed,
        augment=options.augment,
        num_workers=options.num_workers,
        skip_unreadable=options.skip_unreadable,
    )
    result = fit(
        create_state(init_generator(generator, target, target_params, seed=seed), seed),
        step,
        batches,
        target_params,
        num_steps=options.steps,
        mesh=mesh,
        out=out,
        config=config,
        checkpoint_every=options.checkpoint_every,
        checkpoints=options.checkpoints,
        title="generator",
    )
    unreadable = batches.unreadable
    if unreadable:
        say(f"{len(unreadable)} unreadable images were passed over: {', '.join(unreadable[:5])}")
    if jax.process_index() == 0:
        gencnp.save_generator(generator, result.state.params, target, out / GENERATOR)
    return Trained(generator, result.state.params, result, unreadable)


def make_generator_step(
    target: Target, generator: gencnp.Generator, options: GeneratorOptions, mesh: jax.sharding.Mesh
) -> tuple[Callable[[Params, int], training.TrainState], training.Step]:
    """``create_state(params, seed)`` and the step that goes on from it."""
    objective_options = options.objective.build()
    schedule = _schedule(options.learning_rate, options.steps)
    # optax.clip_by_global_norm, by one factor: a division of every gradient is a pass over all of them.
    clip = optax.stateless(lambda grads, _: optax.projections.projection_l2_ball(grads, 1.0))
    optimizer = optax.chain(clip, optax.adamw(schedule, weight_decay=options.weight_decay))

    def create_state(params: Params, seed: int) -> training.TrainState:
        extra = gencnp.init_sparsity(objective_options)
        return training.create_state(params, optimizer, key=jax.random.key(seed + 1), extra=extra)

    objective = gencnp.make_objective(target, generator, objective_options)
    return create_state, training.make_train_step(objective, optimizer, mesh)


def make_generator(target: Target, options: GeneratorOptions) -> gencnp.Generator:
    """The generator that ``options`` describe."""
    return gencnp.Generator(
        target.sites,
        target.num_classes,
        width=options.width,
        grid=options.grid,
        initial_logit=options.initial_logit,
        recursive=options.recursive,
        distill=options.distill,
        decoder_sees=options.decoder_sees,
        class_conditional=options.class_conditional,
        modulate=options.modulate,
        granularity=options.granularity,
        cuts=options.objective.build().aim.cuts,
        dtype=jnp.dtype(options.precision),
    )


def init_generator(
    generator: gencnp.Generator, target: Target, target_params: Params, *, seed: int
) -> Params:
    """Fresh parameters of a generator for ``target``."""
    shape = (1, *target.preprocessing.crop, len(target.preprocessing.mean))

    def init(key, target_params):
        return generator.init(key, target.apply(target_params, jnp.zeros(shape, jnp.uint8)))

    return run_once(init, jax.random.key(seed), target_params)


def fit(
    state,
    step,
    batches,
    frozen,
    *,
    num_steps,
    mesh,
    out,
    config,
    checkpoint_every,
    title,
    checkpoints=None,
    log_every=10,
) -> training.FitResult:
    """Runs or continues a training whose folder is ``out``, and closes what it opened."""
    checkpoints = Checkpoints(checkpoints or out / "checkpoints", config=config, save_every=checkpoint_every)
    try:
        return training.fit(
            state,
            step,
            batches,
            frozen,
            num_steps=num_steps,
            mesh=mesh,
            checkpoints=checkpoints,
            log=training.MetricLog(out),
            log_every=log_every,
            title=title,
        )
    finally:
        batches.close()
        checkpoints.close()


def _schedule(peak: float, steps: int) -> optax.Schedule:
    return optax.warmup_cosine_decay_schedule(0.0, peak, max(1, steps // 10), max(2, steps))
