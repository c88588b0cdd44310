"""Where a run keeps its files, what decides its result, and what it says on the way."""

import contextlib
import dataclasses
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jax

from jaxpath import data, training
from jaxpath.files import expand_home, prepare_folder
from jaxpath.runs.objective_options import ObjectiveFlags
from jaxpath.targets import digest
from jaxpath.training.checkpoints import Checkpoints
from jaxpath.types import Params, Target

_FREE = (
    *("out", "checkpoints", "checkpoint_every", "num_workers"),
    "processes",
    *("maximised_pairs", "maximised_variation", "relevance_images"),
    *("variants", "seeds", "boxes", "score"),
)
"""Options that may change when a run is continued: they do not touch what is trained."""


@dataclasses.dataclass(frozen=True)
class Run:
    """One run: the same call with the same run continues it where it was stopped.

    Attributes:
        out: Its folder, made when it is needed.
        seed: Of initialisation, order and draws.
        config: Everything that decides its result, of JSON's types; a folder that holds a run of another
            configuration is refused. None: what the function that trains is told.
        began: When it began, by ``time.perf_counter``; by default when this object was made.
    """

    out: Path
    seed: int = 0
    config: Mapping[str, Any] | None = None
    began: float = dataclasses.field(default_factory=time.perf_counter)

    def __post_init__(self) -> None:
        object.__setattr__(self, "out", Path(expand_home(str(self.out))))

    def within(self, folder: str, *, seed: int | None = None) -> "Run":
        """The same run in a folder below its own."""
        return dataclasses.replace(self, out=self.out / folder, seed=self.seed if seed is None else seed)

    def decided_by(self, options: Any, **more: Any) -> "Run":
        """The same run with a configuration: its own, else that of ``options``, seed and ``more``."""
        if self.config is not None:
            return self
        return dataclasses.replace(self, config=as_config(options, seed=self.seed, **more))

    def knowing(self, **more: Any) -> "Run":
        """The same run, whose configuration says ``more``, of JSON's types."""
        return dataclasses.replace(self, config={**(self.config or {}), **more})

    @property
    def seconds(self) -> float:
        """Seconds since it began."""
        return time.perf_counter() - self.began

    @contextlib.contextmanager
    def storage(
        self, *, checkpoint_every: int, checkpoints: str | None = None, log_every: int = 10
    ) -> Iterator[training.Storage]:
        """Where a training of this run is kept, for as long as the block lasts.

        Args:
            checkpoint_every: Steps between two checkpoints.
            checkpoints: Their folder; None takes ``checkpoints/`` in the run's.
            log_every: Steps between two logged ones.

        Raises:
            InputError: A folder cannot be written to, or it holds a run of another configuration.
        """
        folder = checkpoints or self.out / "checkpoints"
        if jax.process_index() == 0:
            prepare_folder(self.out)
        saver = Checkpoints(folder, config=self.config or {}, save_every=checkpoint_every)
        try:
            yield training.Storage(saver, training.MetricLog(self.out), log_every)
        finally:
            saver.close()


def begin(options: Any, **more: Any) -> Run:
    """The run that command-line ``options`` describe, which have ``out`` and, mostly, ``seed``.

    Args:
        options: A dataclass.
        **more: What else decides the result, such as hashes of files.
    """
    return Run(options.out, getattr(options, "seed", 0), as_config(options, **more))


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


def names_of(target: Target, source: data.Source, params: Params | None = None) -> dict[str, Any]:
    """What a configuration says of a classifier, its parameters if they are given, and the images."""
    names = {"target": target.name, "examples": len(source)}
    return names if params is None else {**names, "params": digest(params)}


def warn(message: str) -> None:
    """Prints what speaks against a result, in red on a terminal that has colours, on process 0 only."""
    coloured = sys.stdout.isatty() and "NO_COLOR" not in os.environ
    say(f"\033[31mwarning: {message}\033[0m" if coloured else f"warning: {message}")


def say(message: str) -> None:
    """Prints one line of the run's story, on process 0 only."""
    if jax.process_index() == 0:
        print(message, flush=True)
