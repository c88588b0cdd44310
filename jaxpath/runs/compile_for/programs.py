"""The steps that experiments run and their floors, from shapes alone: no weight is allocated."""

from collections.abc import Callable
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
from jax.sharding import Mesh
from jax.sharding import PartitionSpec as P

from jaxpath import compiling, flint, lap, targets, training
from jaxpath.devices.mesh import AXIS, POSITION
from jaxpath.runs.classifiers import make_optimizer
from jaxpath.runs.compile_for.options import CompileFor, System
from jaxpath.runs.flint.recipes import post_hoc_recipe
from jaxpath.runs.generators import make_generator_step
from jaxpath.runs.lap.options import LapOptions
from jaxpath.runs.options import ClassifierOptions
from jaxpath.runs.scaling import generator_shapes
from jaxpath.runs.schedules import warmup_cosine
from jaxpath.runs.throughput.workload import make_floor
from jaxpath.targets.objective import init_schedule, make_classifier_objective
from jaxpath.types import Target

_STEPS = 10**5
"""Of a training; what a step computes does not depend on it."""

Shapes = Any
"""A pytree of ``jax.ShapeDtypeStruct``."""


class Work(NamedTuple):
    """A step and its floor for a mesh.

    Attributes:
        target: The classifier.
        step: Takes ``state``, ``frozen`` and a batch.
        state: Shapes of what it changes.
        frozen: Shapes of what it only reads.
        floor: ``(params, images, labels, gates)``: what no implementation of the step can leave out.
        floor_params: Shapes of its parameters.
    """

    target: Target
    step: training.Step
    state: Shapes
    frozen: Shapes
    floor: Callable[..., Any]
    floor_params: Shapes


def make_work(system: System, model: str, options: CompileFor, mesh: Mesh) -> Work:
    """The step of a system for a model.

    Raises:
        InputError: There is no such model, it takes no images of that size, or it cannot be extended.
    """
    maker = {"gencnp": _gencnp, "classifier": _classifier, "flint": _flint, "lap": _lap}[system]
    size = {} if options.image_size is None else {"image_size": options.image_size}
    return maker(model, {"dtype": options.precision, **size}, options, mesh)


def lower_step(work: Work, batch_size: int, mesh: Mesh) -> jax.stages.Lowered:
    """The step for ``batch_size`` images on each chip, ready to compile."""
    step = cast(jax.stages.Wrapped, work.step)
    return step.lower(work.state, work.frozen, batch_shapes(work.target, batch_size * mesh.size))


def lower_floor(work: Work, batch_size: int, mesh: Mesh) -> jax.stages.Lowered:
    """The floor for ``batch_size`` images on each chip, ready to compile; the chips exchange nothing."""
    batch = batch_shapes(work.target, batch_size * mesh.size)
    gates = {
        site.name: jax.ShapeDtypeStruct((batch_size * mesh.size, site.channels), jnp.float32)
        for site in work.target.sites
    }
    sharded = jax.shard_map(
        work.floor,
        mesh=mesh,
        in_specs=(P(), P(AXIS), P(AXIS), P(AXIS)),
        out_specs=P(),
        check_vma=False,
    )
    program = compiling.jit(sharded, platform=compiling.platform_of(mesh))
    return program.lower(work.floor_params, batch["image"], batch["label"], gates)


def batch_shapes(target: Target, count: int) -> dict[str, jax.ShapeDtypeStruct]:
    """A batch of ``count`` images over all chips."""
    return {
        "image": jax.ShapeDtypeStruct((count, *target.preprocessing.shape), jnp.uint8),
        "label": jax.ShapeDtypeStruct((count,), jnp.int32),
        "weight": jax.ShapeDtypeStruct((count,), jnp.float32),
        POSITION: jax.ShapeDtypeStruct((count,), jnp.int32),
    }


def _gencnp(model: str, shape: dict[str, Any], options: CompileFor, mesh: Mesh) -> Work:
    target = targets.make_target(model, **shape)
    generator, params, weights = generator_shapes(target, options.generator)
    create_state, step = make_generator_step(target, generator, options.generator, mesh)
    state = jax.eval_shape(lambda weights: create_state(weights, 0), weights)
    frozen = targets.cast_frozen(target, params)
    floor = make_floor(target)
    return Work(target, step, state, frozen, lambda p, images, _, gates: floor(p, images, gates), frozen)


def _classifier(model: str, shape: dict[str, Any], options: CompileFor, mesh: Mesh) -> Work:
    target = targets.make_target(model, **shape)
    variables = dict(jax.eval_shape(target.init, jax.random.key(0)))
    everything, params = dict(variables), variables.pop("params")
    optimizer = make_optimizer(ClassifierOptions(train_steps=_STEPS))
    step = training.make_train_step(make_classifier_objective(target), optimizer, mesh)
    state = jax.eval_shape(
        lambda params, extra: training.create_state(params, optimizer, key=jax.random.key(0), extra=extra),
        params,
        variables,
    )
    return Work(target, step, state, {}, _trained(target), everything)


def _flint(model: str, shape: dict[str, Any], options: CompileFor, mesh: Mesh) -> Work:
    target = targets.make_target(model, **shape)
    recipe = post_hoc_recipe(target)
    interpreter = flint.make_interpreter(target, recipe.sites, **recipe.interpreter)
    params = jax.eval_shape(target.init, jax.random.key(0))
    weights = jax.eval_shape(
        lambda params: flint.init_interpreter(interpreter, target, params, key=jax.random.key(1)), params
    )
    weights_at = flint.by_step(recipe.stages, batch_size=recipe.batch_size, num_examples=_STEPS)
    objective = flint.make_post_hoc_objective(
        target, interpreter, weights_at, reconstruction=recipe.reconstruction
    )
    optimizer = flint.adam(1e-3)
    step = training.make_train_step(objective, optimizer, mesh)
    state = jax.eval_shape(
        lambda weights: training.create_state(
            weights, optimizer, key=jax.random.key(0), extra=init_schedule()
        ),
        weights,
    )
    frozen = targets.cast_frozen(target, params)
    return Work(target, step, state, frozen, lambda p, images, *_: target.apply(p, images).logits, frozen)


def _lap(model: str, shape: dict[str, Any], options: CompileFor, mesh: Mesh) -> Work:
    net = LapOptions()
    plain = targets.make_target(model, **shape)
    target = lap.extend(
        getattr(targets, model),
        alpha=net.alpha,
        gate=None,
        read_out=net.read_out,
        bias=net.score_bias,
        **shape,
    )
    variables = jax.eval_shape(target.init, jax.random.key(0))
    params, progress = jax.eval_shape(
        lambda variables: lap.init_training(target, variables, key=jax.random.key(1)), variables
    )
    schedule = warmup_cosine(net.learning_rate, _STEPS)
    optimizer = lap.make_optimizer(schedule, target, params, "all", theta_rate=1.0)
    objective = lap.make_objective(target, lap.ramped(net.loss.as_weights(), _STEPS))
    step = training.make_train_step(objective, optimizer, mesh)
    state = jax.eval_shape(
        lambda params, progress: training.create_state(
            params, optimizer, key=jax.random.key(0), extra=progress
        ),
        params,
        progress,
    )
    knowledge = jax.eval_shape(lambda: jax.tree.map(jnp.asarray, lap.no_knowledge()))
    return Work(
        target, step, state, knowledge, _trained(plain), jax.eval_shape(plain.init, jax.random.key(0))
    )


def _trained(target: Target) -> Callable[..., Any]:
    """The gradient of a classifier's loss: what training it needs at least."""
    objective = make_classifier_objective(target)

    def floor(params, images, labels, gates):
        del gates
        extra = {name: value for name, value in params.items() if name != "params"}
        keys = jax.vmap(jax.random.key)(labels)

        def loss(trained):
            batch = {"image": images, "label": labels}
            losses, (statistics, _) = objective(trained, extra, {}, batch, keys)
            return losses.mean(), statistics

        return jax.value_and_grad(loss, has_aux=True)(params["params"])

    return floor
