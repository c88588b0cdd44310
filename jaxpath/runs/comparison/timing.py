"""The time that explainers take from images to masks."""

import time
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxpath import compiling, data, metrics
from jaxpath.metrics import Method, Session
from jaxpath.runs.comparison.entries import Entry
from jaxpath.types import Params, Pathway


def measure_times(
    session: Session, entries: Sequence[Entry], source: data.Source, *, batch_sizes: Sequence[int]
) -> list[dict[str, float]]:
    """Milliseconds per image by batch size: medians, the explainers in turn, on one device.

    Only the time to the masks counts, those of a generator at densities of its own: no masked forward that
    the explainer does not need itself, no input pipeline.

    Args:
        session: The classifier; its batch size, shared by its devices, limits those that are timed.
        entries: The explainers.
        source: Images; they are repeated where a batch needs more.
        batch_sizes: Images at once.

    Returns:
        One mapping per entry.
    """
    largest = session.batch_size // session.mesh.size
    times: list[dict[str, float]] = [{} for _ in entries]
    for wanted in batch_sizes:
        size = min(wanted, largest)
        part = data.Subset(source, np.arange(size) % len(source))
        batch = next(iter(metrics.source_passes(session._replace(batch_size=size), part)()))
        images, labels = jnp.asarray(batch["image"]), jnp.asarray(batch["label"])
        for entry, by_size in zip(entries, times, strict=True):
            method = entry.natural or entry.method
            explain = compiling.jit(_masks_of(method))
            seconds = time_calls(explain, session.params, method.params, images, labels)
            by_size[str(size)] = 1000 * seconds / size
    return times


def time_calls(function: Callable[..., Any], *arguments: Any, seconds: float = 1.0) -> float:
    """Median seconds of a call after one that compiles: of three calls or more, or of one that takes long.

    Args:
        function: Returns arrays, which are waited for.
        *arguments: Its arguments.
        seconds: How long to repeat it; a call may take five times as long before it is left at one.
    """
    jax.block_until_ready(function(*arguments))
    times: list[float] = []
    while not times or (sum(times) < 5 * seconds and (len(times) < 3 or sum(times) < seconds)):
        start = time.perf_counter()
        jax.block_until_ready(function(*arguments))
        times.append(time.perf_counter() - start)
    return float(np.median(times))


def _masks_of(method: Method) -> Callable[..., Any]:
    def explain(params: Params, weights: Params, images: jax.Array, labels: jax.Array) -> Any:
        pathway: Pathway = method.make(weights)(params, images, labels, key=jax.random.key(0))
        return pathway.masks

    return explain
