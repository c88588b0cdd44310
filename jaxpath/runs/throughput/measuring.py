"""From options to ``results.json`` of a measurement."""

import contextlib
import functools
import time
from typing import Any

import jax

from jaxpath import data, explainers
from jaxpath.runs.results import write_results
from jaxpath.runs.run import begin, say
from jaxpath.runs.throughput.options import Throughput
from jaxpath.runs.throughput.pytorch import REQUESTS, start_torch
from jaxpath.runs.throughput.turns import summarise, take_turns
from jaxpath.runs.throughput.workload import make_workload, prepare_explainer, prepare_floor, prepare_step
from jaxpath.types import InputError, Target


def measure_throughput(options: Throughput) -> dict[str, Any]:
    """Compiles, lets everything take turns, and writes ``results.json``.

    The *floor* of a step is one clean forward of the target, and one gated forward with its gradient with
    respect to the gates: every implementation has to do that much.

    Returns:
        The figures: milliseconds are medians, memory is in megabytes.

    Raises:
        InputError: A target or an explainer is unknown, the batch does not divide over the devices, or the
            process of PyTorch ends.
    """
    run = begin(options)
    # The time to compile is one of the figures, and memory is that of the step alone.
    jax.config.update("jax_enable_compilation_cache", False)
    unknown = sorted(set(options.explainers) - {"gencnp", *explainers.names()})
    if unknown:
        raise InputError(f"--explainers got {unknown}; choose from gencnp, {', '.join(explainers.names())}")
    workload = make_workload(options)
    device = jax.devices()[0].device_kind
    say(f"{workload.target.name}, {workload.images.shape}, {options.dtype}, {device}")

    step, figures = prepare_step(workload, options)
    floor, flops = prepare_floor(workload)
    calls = {"step": step, "floor": floor}
    calls |= {name: prepare_explainer(workload, name) for name in options.explainers}
    with contextlib.ExitStack() as stack:
        if options.against_torch != "no":
            compiled = options.against_torch == "compiled"
            torch = stack.enter_context(
                start_torch(workload, options.generator, compiled=compiled, python=options.torch_python)
            )
            calls |= {f"torch_{name}": functools.partial(torch.milliseconds, name) for name in REQUESTS}
        times = take_turns(calls, rounds=options.rounds, seconds=options.seconds)

    figures |= summarise(times, options, flops=flops)
    if options.data is not None:
        figures["pipeline_images_per_second"] = time_pipeline(workload.target, options)
    for name, value in figures.items():
        say(f"  {name:>28} {value:.4g}" if isinstance(value, float) else f"  {name:>28} {value}")
    write_results(figures, run=run)
    return figures


def time_pipeline(target: Target, options: Throughput, *, seconds: float = 10.0) -> float:
    """Images per second that the input pipeline of training delivers when nothing else runs.

    Args:
        target: Says how images are prepared.
        options: Which images, in batches of which size, by how many processes.
        seconds: How long to read.

    Raises:
        InputError: There are no such images.
    """
    if options.data is None:
        raise InputError("there are no images to time the input with; name a data set with --data")
    batches = data.train_batches(
        data.open_source(options.data, split=options.split),
        batch_size=options.batch_size,
        preprocessing=target.preprocessing,
        seed=0,
        augment="crop_flip",
        reading=data.Reading(options.num_workers),
    )
    with contextlib.closing(batches):
        for _ in range(2):
            next(batches)
        count, start = 0, time.perf_counter()
        while time.perf_counter() - start < seconds:
            count += len(next(batches)["image"])
        return count / (time.perf_counter() - start)
