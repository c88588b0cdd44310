"""Generators of pathways, trained for a frozen classifier."""

import contextlib
import functools
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxpath import data, gencnp, metrics, targets, training
from jaxpath.compiling import run_once
from jaxpath.devices import check_batch_size, make_mesh
from jaxpath.files import sha256_of
from jaxpath.fills import Ablation
from jaxpath.metrics import Method, Session
from jaxpath.runs.options import GeneratorOptions
from jaxpath.runs.run import Run, names_of, say
from jaxpath.runs.schedules import warmup_cosine
from jaxpath.runs.stopping import BestGenerator, hold_out, make_stopping
from jaxpath.types import Explainer, Params, Target

GENERATOR = "generator.safetensors"
"""A trained generator in the folder of its run."""

_FOR_MEANS = 1000
"""Training images over which mean activations are taken."""

_NAMED = 5
"""Unreadable files that are named."""


class TrainedGenerator(NamedTuple):
    """A trained generator.

    Attributes:
        generator: The module.
        params: Its parameters.
        fit: The finished training; None for one that was loaded.
        unreadable: Files that were passed over because they are no images.
        looks: What was seen on held-out training images, where training ends early; ``params`` are the best.
    """

    generator: gencnp.Generator
    params: Params
    fit: training.FitResult | None = None
    unreadable: tuple[str, ...] = ()
    looks: tuple[training.Look, ...] = ()

    def method(self, target: Target, *, density: float | None = None, seed: int = 0) -> Method:
        """It as an explainer of ``target``.

        Args:
            target: The classifier that it was trained for.
            density: Share of neurons to open; None: each image's own.
            seed: For metrics that draw at random.
        """

        def make(params: Params) -> Explainer:
            return gencnp.make_gencnp(target, self.generator, params, density=density)

        return Method("gencnp", make, self.params, seed)


def generator_file(path: str | Path) -> Path:
    """A generator's file: in the folder of its run, or the file itself."""
    path = Path(path).expanduser()
    return path / GENERATOR if path.is_dir() else path


def load_generator(path: str | Path, target: Target, *, params: Params | None = None) -> TrainedGenerator:
    """A generator that was trained before; it is said if its file does not tell its classifier.

    Args:
        path: The folder of its run, or its :data:`GENERATOR`.
        target: The classifier that it was trained for.
        params: That classifier's parameters; None leaves them unchecked.

    Raises:
        InputError: There is no such file, or it is a generator for another target, preprocessing or
            parameters.
    """
    path = generator_file(path)
    trained = TrainedGenerator(*gencnp.load_generator(path, target, params=params))
    if params is not None and not gencnp.knows_its_classifier(path):
        say(
            f"the generator in {path} does not say for which weights and preprocessing it was trained, as an "
            f"older version of jaxpath wrote it: make sure that it was for these of {target.name}"
        )
    return trained


def train_generator(
    target: Target, params: Params, source: data.Source, options: GeneratorOptions, *, run: Run
) -> TrainedGenerator:
    """Trains a generator for a frozen classifier; continues what the run's folder holds.

    Mask generation, masked forward, losses, gradients and update are one compiled step over all devices.

    Args:
        target: The classifier.
        params: Its parameters, which stay as they are.
        source: The training images; their labels are not used.
        options: How the generator is built and trained.
        run: Its folder, in which :data:`GENERATOR` is left, seed and configuration.

    Raises:
        InputError: The batch does not divide over the devices, or the folder holds another run.
        TrainingDiverged: Loss, gradient or update is not finite; the checkpoints before stay.
    """
    options.stopping.check()
    run = run.decided_by(options, **names_of(target, source, params))
    mesh = make_mesh()
    check_batch_size(options.batch_size, mesh)
    generator = make_generator(target, options)
    create_state, step = make_generator_step(target, generator, options, mesh)
    learned, watched = hold_out(source, options.stopping, seed=run.seed)
    initial = init_generator(generator, target, params, seed=run.seed)
    if options.init_generator is not None:
        file = generator_file(options.init_generator)
        initial = _begin_with(file, initial)
        run = run.knowing(init_generator_hash=sha256_of(file))
    best = BestGenerator(target, params, generator, run)
    reading = data.Reading(options.num_workers, skip_unreadable=options.skip_unreadable)
    session = Session(target, params, mesh, options.batch_size)
    if generator.taylor:
        drawn = data.draw(learned, _FOR_MEANS, seed=run.seed)
        means = metrics.site_means(session, metrics.source_passes(session, drawn, reading=reading))
        initial = gencnp.with_means(initial, means, target.sites)
    stopping = None
    if watched is not None:
        make = functools.partial(gencnp.make_gencnp, target, generator)
        passes = metrics.source_passes(session, watched, reading=reading)
        stopping = make_stopping(session, make, passes, best, options.stopping)
    batches = data.train_batches(
        learned,
        batch_size=options.batch_size,
        preprocessing=target.preprocessing,
        seed=run.seed,
        augment=options.augment,
        reading=reading,
    )
    opened = run.storage(checkpoint_every=options.checkpoint_every, checkpoints=options.checkpoints)
    with opened as storage, contextlib.closing(batches):
        result = training.fit(
            create_state(initial, run.seed),
            step,
            batches,
            targets.cast_frozen(target, params),
            num_steps=options.steps,
            mesh=mesh,
            storage=storage._replace(stopping=stopping),
            title="generator",
        )
    unreadable = batches.unreadable
    if unreadable:
        say(f"{len(unreadable)} unreadable images were passed over: {', '.join(unreadable[:_NAMED])}")
    trained = result.state.params if stopping is None else best.read(result.state.params)
    if jax.process_index() == 0:
        gencnp.save_generator(generator, trained, target, run.out / GENERATOR, target_params=params)
    looks = () if stopping is None else stopping.looks
    return TrainedGenerator(generator, trained, result, unreadable, looks)


def _begin_with(file: Path, drawn: Params) -> Params:
    """The parts of another generator that fit, and the rest as it was drawn; says which is which."""
    start = gencnp.begin_with(file, drawn)
    count = len(start.taken) + len(start.drawn)
    say(f"generator to begin with: {len(start.taken)} of {count} arrays are those of {file}")
    if start.drawn:
        say(f"  drawn anew: {', '.join(start.drawn)}")
    return start.params


def make_generator_step(
    target: Target, generator: gencnp.Generator, options: GeneratorOptions, mesh: jax.sharding.Mesh
) -> tuple[Callable[[Params, int], training.TrainState], training.Step]:
    """``create_state(params, seed)`` and the step that goes on from it."""
    objective_options = options.objective.build()
    schedule = warmup_cosine(options.learning_rate, options.steps)
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
    cuts, tried_with = _trials(options)
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
        taylor=options.taylor,
        granularity=options.granularity,
        cuts=cuts,
        tried_with=tried_with,
        dtype=jnp.dtype(options.precision),
    )


def _trials(options: GeneratorOptions) -> tuple[tuple[float, ...], tuple[Ablation, ...]]:
    """At which densities the generator is tried, and what closed neurons hold then.

    Every ablation doubles what trials cost, so that two of them share half of the densities. Without the
    means, or with other images' activations, there are no trials: the budget is taken as it is.
    """
    objective = options.objective.build()
    cuts, ablations = objective.aim.cuts, objective.ablations
    if ablations == ("zero",):
        return cuts, ablations
    if options.taylor and set(ablations) == {"zero", "mean"}:
        return cuts[1::2], ("zero", "mean")
    return cuts[-1:], ("zero",)


def init_generator(generator: gencnp.Generator, target: Target, params: Params, *, seed: int) -> Params:
    """Fresh parameters of a generator for ``target`` with its ``params``."""
    shape = (1, *target.preprocessing.shape)

    def init(key, params):
        images = jnp.zeros(shape, jnp.uint8)
        return generator.init(key, gencnp.read(target, params, images, slopes=generator.taylor)[1])

    return run_once(init, jax.random.key(seed), params)
