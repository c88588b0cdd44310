"""Where a run keeps its files, what decides its result, and what it says on the way."""

import dataclasses
import json
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax

from jaxpath.runs.objective_options import ObjectiveFlags

_FREE = (
    *("out", "checkpoints", "checkpoint_every", "num_workers"),
    *("coordinator", "num_processes", "process_id"),
    *("maximised_pairs", "maximised_variation"),
    *("variants", "seeds"),
)
"""Options that may change when a run is continued: they do not touch its result."""


class Run(NamedTuple):
    """One run: the same call with the same run continues it where it was stopped.

    Attributes:
        out: Its folder.
        seed: Of initialisation, order and draws.
        config: Everything that decides its result, of JSON's types; a folder that holds a run of another
            configuration is refused. None: what the function that trains is told.
        began: When it began, by ``time.perf_counter``.
    """

    out: Path
    seed: int = 0
    config: Mapping[str, Any] | None = None
    began: float = 0.0

    def within(self, folder: str, *, seed: int | None = None) -> "Run":
        """The same run in a folder below its own."""
        return self._replace(out=self.out / folder, seed=self.seed if seed is None else seed)

    def decided_by(self, options: Any, **more: Any) -> "Run":
        """The same run with a configuration: its own, else that of ``options``, seed and ``more``."""
        if self.config is not None:
            return self
        return self._replace(config=as_config(options, seed=self.seed, **more))

    @property
    def seconds(self) -> float:
        """Seconds since it began."""
        return time.perf_counter() - self.began


def begin(options: Any, **more: Any) -> Run:
    """The run that command-line ``options`` describe, which have ``out`` and, mostly, ``seed``.

    Args:
        options: A dataclass.
        **more: What else decides the result, such as hashes of files.
    """
    return Run(options.out, getattr(options, "seed", 0), as_config(options, **more), time.perf_counter())


def as_config(options: Any, **more: Any) -> dict[str, Any]:
    """What decides a run's result, as JSON's types: ``options``, a dataclass, but for what may change."""

    def deciding(options: Any) -> dict[str, Any]:
        if isinstance(options, ObjectiveFlags):
            return options.recorded()
        values = {field.name: getattr(options, field.name) for field in dataclasses.fields(options)}
        return {
            name: deciding(value) if dataclasses.is_dataclass(value) else value
            for name, value in values.items()
            if name not in _FREE
        }

    return json.loads(json.dumps({**deciding(options), **more}, default=str))


def say(message: str) -> None:
    """Prints one line of the run's story, on process 0 only."""
    if jax.process_index() == 0:
        print(message, flush=True)
