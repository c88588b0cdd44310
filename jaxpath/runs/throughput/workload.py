"""What is timed: target and generator with random weights, random images, and the calls on them."""

import time
from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxpath import compiling, devices, explainers, gencnp, losses, targets
from jaxpath.devices.memory import peak_memory, start_peak
from jaxpath.runs.generators import init_generator, make_generator, make_generator_step
from jaxpath.runs.throughput.options import Throughput
from jaxpath.types import Gates, Params, Target

Call = Callable[[], float]
"""Does its work once; returns the milliseconds that it took."""


class Workload(NamedTuple):
    """The objects of one run; nothing was trained, which changes no time.

    Attributes:
        target: The classifier.
        params: Its random parameters, as a training run holds them.
        generator: The generator.
        weights: Its parameters at the start.
        images: uint8 [B, H, W, C].
    """

    target: Target
    params: Params
    generator: gencnp.Generator
    weights: Params
    images: np.ndarray


def make_workload(options: Throughput) -> Workload:
    """Target and generator with random weights, and random images.

    Raises:
        InputError: There is no target of that name, or it takes no images of that size.
    """
    size = {} if options.image_size is None else {"image_size": options.image_size}
    target = targets.make_target(options.model, dtype=options.dtype, **size)
    generator = make_generator(target, options.generator)
    params = target.init(jax.random.key(0))
    weights = init_generator(generator, target, params, seed=0)
    shape = (options.batch_size, *target.preprocessing.shape)
    images = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    return Workload(target, targets.cast_frozen(target, params), generator, weights, images)


def prepare_step(workload: Workload, options: Throughput) -> tuple[Call, dict[str, float]]:
    """The training step, compiled; ``compile_s``, the seconds that took, and megabytes of memory.

    What is planned is the step's alone: arguments, results and temporary values. The peaks are those of the
    whole process, until the step is compiled and while it runs.

    Args:
        workload: The objects.
        options: Of the generator and its training.
    """
    mesh = devices.make_mesh()
    devices.check_batch_size(options.batch_size, mesh)
    create_state, step = make_generator_step(workload.target, workload.generator, options.generator, mesh)
    # A copy: the step donates its state, and the weights are needed once more.
    state = devices.replicate(create_state(jax.tree.map(jnp.array, workload.weights), 0), mesh)
    frozen = devices.replicate(workload.params, mesh)
    batch = devices.shard_batch(_batch(workload.images), mesh)
    start = time.perf_counter()
    compiled = step.lower(state, frozen, batch).compile()  # type: ignore[attr-defined]
    figures = {"compile_s": time.perf_counter() - start}
    plan = compiled.memory_analysis()
    planned = plan.argument_size_in_bytes + plan.output_size_in_bytes + plan.temp_size_in_bytes
    figures["planned_memory_mb"] = (planned - plan.alias_size_in_bytes) / 1e6
    figures["compile_memory_mb"] = peak_memory() / 1e6
    start_peak()
    box = [state]

    def call() -> float:
        began = time.perf_counter()
        box[0], metrics = compiled(box[0], frozen, batch)
        jax.block_until_ready((box[0], metrics))
        return 1000 * (time.perf_counter() - began)

    for _ in range(2):
        call()
    figures["peak_memory_mb"] = peak_memory() / 1e6
    return call, figures


def make_floor(target: Target) -> Callable[[Params, jax.Array, Gates], Any]:
    """The floor of a step as a function of the target's parameters, images, and gates [B, C] by site."""

    def floor(params, images, gates):
        with jax.named_scope("clean"):
            clean = target.apply(params, images).logits

        def loss(gates):
            with jax.named_scope("gated"):
                logits = target.apply(params, images, gates).logits
            return losses.kl_divergence(clean, logits).mean()

        return clean, *jax.value_and_grad(loss)(gates)

    return floor


def prepare_floor(workload: Workload) -> tuple[Call, float]:
    """One clean forward, and one gated forward with its gradient; its floating-point operations."""
    target, floor = workload.target, make_floor(workload.target)
    gates = {site.name: jnp.ones((len(workload.images), site.channels)) for site in target.sites}
    arguments = workload.params, jnp.asarray(workload.images), gates
    compiled = compiling.jit(floor).lower(*arguments).compile()
    costs = compiled.cost_analysis() or {}
    return _timed(compiled, *arguments), float(costs.get("flops", float("nan")))


def prepare_explainer(workload: Workload, name: str) -> Call:
    """Images to masks, by the generator ("gencnp") or by the baseline of that name."""
    if name == "gencnp":

        def explain(params, weights, images):
            generator = gencnp.make_gencnp(workload.target, workload.generator, weights)
            return generator(params, images, jnp.zeros(len(images), int), key=jax.random.key(0)).masks
    else:
        baseline = explainers.make_explainer(name, workload.target, density=0.1)

        def explain(params, weights, images):
            labels = workload.target.apply(params, images).logits.argmax(axis=-1)
            return baseline(params, images, labels, key=jax.random.key(0)).masks

    return _timed(compiling.jit(explain), workload.params, workload.weights, jnp.asarray(workload.images))


def _batch(images: np.ndarray) -> dict[str, np.ndarray]:
    count = len(images)
    return {"image": images, "label": np.zeros(count, np.int32), "weight": np.ones(count, np.float32)}


def _timed(function: Callable[..., Any], *arguments: Any) -> Call:
    def call() -> float:
        start = time.perf_counter()
        jax.block_until_ready(function(*arguments))
        return 1000 * (time.perf_counter() - start)

    return call
