"""Trains FLINT's classifiers and interpreters by a published recipe, as changed by the options."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import fitting
import jax
import optax
from common import say, train_batches

from jaxpath import data, flint, training
from jaxpath.types import Params, Target


@dataclasses.dataclass(frozen=True)
class FlintOptions:
    """How an interpreter is trained; None takes the value of the recipe.

    Attributes:
        epochs: Passes over the training images.
        batch_size: Images per step, over all devices.
        learning_rate: Adam's.
        schedule: Constant as published, or a warm-up over the first twentieth and a cosine to 0.
        attributes: Number J of attributes.
        reconstruction_weight: gamma, of the decoder's error.
        output_weight: beta, of the output fidelity.
        sparsity_weight: Of the attributes' mean size.
        entropy_weight: delta, of the entropies; 0 is the published ablation.
        diversity: mu, of the diversity within the entropy term.
        augment: Random view of each image: none, small_shift, shift, shift_flip or crop_flip.
        checkpoint_every: Steps between two checkpoints.
        num_workers: Processes that read images; 0 uses threads.
        relevance_images: Training images from which global relevance and activating samples are found.
        maximised_pairs: Pairs of attribute and class whose maximisation is drawn; 0 draws none.
        maximised_variation: l_tv, weight of the total variation in these pictures: more leaves fewer strokes.
    """

    epochs: float | None = None
    batch_size: int | None = None
    learning_rate: float | None = None
    schedule: Literal["constant", "cosine"] = "constant"
    attributes: int | None = None
    reconstruction_weight: float | None = None
    output_weight: float | None = None
    sparsity_weight: float | None = None
    entropy_weight: float | None = None
    diversity: float | None = None
    augment: str = "none"
    checkpoint_every: int = 2000
    num_workers: int = 0
    relevance_images: int = 1020
    maximised_pairs: int = 12
    maximised_variation: float | None = None


class Interpreted(NamedTuple):
    """A trained interpreter and its classifier.

    Attributes:
        interpreter: The module.
        params: Its parameters.
        target_params: The classifier's: trained with it, or the frozen ones.
        fit: The finished run.
        recipe: What was followed.
    """

    interpreter: flint.Interpreter
    params: Params
    target_params: Params
    fit: training.FitResult
    recipe: flint.Recipe


class Start(NamedTuple):
    """An objective and what it starts from: see :class:`jaxpath.training.step.Objective`."""

    objective: Any
    params: Params
    extra: flint.FlintState
    frozen: Params


def apply_options(recipe: flint.Recipe, options: FlintOptions) -> flint.Recipe:
    """The recipe with what ``options`` say in place of it; a weight is replaced where its term is on."""
    weights = {
        "reconstruction": options.reconstruction_weight,
        "output": options.output_weight,
        "sparsity": options.sparsity_weight,
        "entropy": options.entropy_weight,
        "diversity": options.diversity,
    }
    changed = {name: value for name, value in weights.items() if value is not None}
    stages = {
        epoch: stage._replace(**{name: value for name, value in changed.items() if getattr(stage, name)})
        for epoch, stage in recipe.stages.items()
    }
    interpreter = dict(recipe.interpreter)
    if options.attributes is not None:
        interpreter["num_attributes"] = options.attributes
    own = {name: getattr(options, name) for name in ("epochs", "batch_size", "learning_rate")}
    given = {name: value for name, value in own.items() if value is not None}
    return recipe._replace(stages=stages, interpreter=interpreter, **given)


def train_joint(
    target: Target,
    source: data.Source,
    recipe: flint.Recipe,
    options: FlintOptions,
    *,
    out: Path,
    seed: int,
    config: Mapping,
) -> Interpreted:
    """Trains ``target`` and its interpreter from scratch; continues what ``out`` holds."""
    variables = dict(target.init(jax.random.key(seed)))
    interpreter = flint.make_interpreter(target, recipe.sites, **recipe.interpreter)
    params = {
        "interpreter": flint.init_interpreter(interpreter, target, variables, key=jax.random.key(seed + 1))
    }
    params["target"] = variables.pop("params")
    objective = flint.make_objective(
        target, interpreter, _weights_at(recipe, source), reconstruction=recipe.reconstruction
    )
    start = Start(objective, params, flint.init_state(variables), {})
    result = _fit(start, target, source, recipe, options, out=out, seed=seed, config=config)
    trained = result.state.params
    target_params = {**result.state.extra.statistics, "params": trained["target"]}
    return Interpreted(interpreter, trained["interpreter"], target_params, result, recipe)


def train_post_hoc(
    target: Target,
    target_params: Params,
    source: data.Source,
    recipe: flint.Recipe,
    options: FlintOptions,
    *,
    out: Path,
    seed: int,
    config: Mapping,
) -> Interpreted:
    """Trains an interpreter for the frozen ``target``; continues what ``out`` holds."""
    interpreter = flint.make_interpreter(target, recipe.sites, **recipe.interpreter)
    params = flint.init_interpreter(interpreter, target, target_params, key=jax.random.key(seed + 1))
    objective = flint.make_post_hoc_objective(
        target, interpreter, _weights_at(recipe, source), reconstruction=recipe.reconstruction
    )
    start = Start(objective, params, flint.init_state(), target_params)
    result = _fit(start, target, source, recipe, options, out=out, seed=seed, config=config)
    return Interpreted(interpreter, result.state.params, target_params, result, recipe)


def _fit(
    start: Start,
    target: Target,
    source: data.Source,
    recipe: flint.Recipe,
    options: FlintOptions,
    *,
    out: Path,
    seed: int,
    config: Mapping,
) -> training.FitResult:
    mesh = training.make_mesh()
    training.check_batch_size(recipe.batch_size, mesh)
    num_steps = max(1, int(recipe.epochs * len(source)) // recipe.batch_size)
    say(f"{recipe.epochs:g} epochs of {len(source)} images, {num_steps} steps of {recipe.batch_size}")
    optimizer = _optimizer(recipe, options, len(source), num_steps)
    return fitting.fit(
        training.create_state(start.params, optimizer, key=jax.random.key(seed + 2), extra=start.extra),
        training.make_train_step(start.objective, optimizer, mesh),
        train_batches(
            source,
            target,
            batch_size=recipe.batch_size,
            seed=seed,
            augment=options.augment,
            num_workers=options.num_workers,
        ),
        start.frozen,
        num_steps=num_steps,
        mesh=mesh,
        out=out,
        config=config,
        checkpoint_every=options.checkpoint_every,
        log_every=max(1, num_steps // 500),
        title="flint",
    )


def _weights_at(recipe: flint.Recipe, source: data.Source) -> flint.WeightsAt:
    return flint.by_step(recipe.stages, batch_size=recipe.batch_size, num_examples=len(source))


def _optimizer(
    recipe: flint.Recipe, options: FlintOptions, num_examples: int, num_steps: int
) -> optax.GradientTransformation:
    if options.schedule == "cosine":
        warmup = max(1, num_steps // 20)
        return optax.adam(
            optax.warmup_cosine_decay_schedule(0.0, recipe.learning_rate, warmup, max(2, num_steps))
        )
    if recipe.restart is None:
        return flint.adam(recipe.learning_rate)
    epoch, rate = recipe.restart
    restart_step = -(-(epoch - 1) * num_examples // recipe.batch_size)
    return flint.adam(recipe.learning_rate, restart_step=restart_step, restart_rate=rate)
