"""Calls that take turns, and what their times say."""

import random
import statistics
import time
from collections.abc import Mapping, Sequence
from typing import Any

import jax

from jaxpath.devices.chips import chip_of
from jaxpath.runs.throughput.options import Throughput
from jaxpath.runs.throughput.workload import Call

_FEWEST_ROUNDS = 3


def take_turns(calls: Mapping[str, Call], *, rounds: int, seconds: float) -> dict[str, list[float]]:
    """Milliseconds of each call, one after the other, round by round; the first round is not counted.

    Every round has an order of its own: a call is slower after one that left little of its memory in caches.

    Args:
        calls: What is timed, by name.
        rounds: Turns that everything takes.
        seconds: Ends the turns earlier, but not before three.
    """
    times: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():
        call()
    order = list(calls)
    shuffle = random.Random(0).shuffle
    began = time.perf_counter()
    for place in range(rounds):
        if place >= _FEWEST_ROUNDS and time.perf_counter() - began > seconds:
            break
        shuffle(order)
        for name in order:
            times[name].append(calls[name]())
    return times


def summarise(times: Mapping[str, Sequence[float]], options: Throughput, *, flops: float) -> dict[str, Any]:
    """The figures of ``results.json`` that come from medians.

    Args:
        times: Milliseconds from :func:`take_turns`: of ``step``, ``floor``, the explainers by name, and
            ``torch_step``, ``torch_floor`` and ``torch_forward`` if PyTorch took part.
        options: What was timed.
        flops: Floating-point operations of the floor.
    """
    median = {name: statistics.median(values) for name, values in times.items()}
    images = options.batch_size
    figures: dict[str, Any] = {
        "step_ms": median["step"],
        "floor_ms": median["floor"],
        "step_over_floor": median["step"] / median["floor"],
        "images_per_second": 1000 * images / median["step"],
        "rounds": len(times["step"]),
    }
    peak = _peak_flops()
    if peak is not None and options.dtype == "bfloat16":
        # The floor's operations: what the generator adds is overhead, not use.
        figures["model_flop_utilisation"] = flops / (median["step"] / 1000) / peak
    for name in options.explainers:
        figures[f"explain_{name}_images_per_second"] = 1000 * images / median[name]
    if "torch_step" in median:
        for name in ("step", "floor", "forward"):
            figures[f"torch_{name}_ms"] = median[f"torch_{name}"]
        figures[f"over_torch_{options.against_torch}"] = median["step"] / median["torch_step"]
        for name in options.explainers:
            figures[f"explain_{name}_over_torch_forward"] = median["torch_forward"] / median[name]
    return figures


def _peak_flops() -> float | None:
    """Of all devices together; None where the makers' figure is not known."""
    chip = chip_of(jax.devices()[0].device_kind)
    return None if chip is None else chip.flops * jax.device_count()
