"""Where a run's numbers go: JSON lines, TensorBoard, and the terminal."""

import contextlib
import json
import math
import os
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import TextIO

import jax
from tqdm import tqdm

from jaxpath.files import replacing, writing
from jaxpath.training.events import EventWriter

_SECONDS_BETWEEN_LINES = 10.0


class MetricLog:
    """Keeps a run's metrics in ``<directory>/metrics.jsonl`` and in TensorBoard event files.

    Only the first process writes. A line is an object with ``step`` and one number per metric;
    a number that is not finite is ``null``, because JSON has no NaN.
    """

    def __init__(self, directory: str | os.PathLike):
        self._directory = Path(directory)
        self._path = self._directory / "metrics.jsonl"
        self._writes = jax.process_index() == 0
        self._lines: TextIO | None = None
        self._events: EventWriter | None = None

    def start(self, step: int) -> None:
        """Continues after ``step``: what an earlier run logged about later steps is dropped."""
        self.close()
        if not self._writes:
            return
        kept = _lines_up_to(step, self._path)
        # A run that is killed here loses no line.
        with replacing(self._path) as partial:
            partial.write_text("".join(kept), encoding="utf-8")
        with writing(self._path):
            self._lines = self._path.open("a", encoding="utf-8")
            self._events = EventWriter(self._directory, first_step=step + 1)

    def write(self, step: int, metrics: Mapping[str, float]) -> None:
        """Logs ``metrics`` of ``step``; :meth:`start` comes first."""
        if self._lines is None or self._events is None:
            return
        finite = {name: float(value) if math.isfinite(value) else None for name, value in metrics.items()}
        with writing(self._path):
            self._lines.write(json.dumps({"step": step, **finite}) + "\n")
            self._lines.flush()
            self._events.scalars(step, {name: float(value) for name, value in metrics.items()})

    def close(self) -> None:
        """Closes the files; what could not be written has been said by then."""
        for file in (self._lines, self._events):
            if file is not None:
                with contextlib.suppress(OSError):
                    file.close()
        self._lines = self._events = None


class Progress:
    """Tells the terminal how far a run is: a bar with the time left, or a line now and then.

    The bar is for a terminal. In a file or a pipe, a line follows the first logged step, the last
    one, and in between about every ten seconds. Only the first process tells anything.
    """

    def __init__(self, num_steps: int, *, start: int = 0, title: str = "train"):
        self._num_steps, self._step, self._title = num_steps, start, title
        self._first: tuple[int, float] | None = None
        self._last_line = -math.inf
        self._quiet = jax.process_index() != 0
        self._bar = None
        if not self._quiet and sys.stderr.isatty():
            self._bar = tqdm(total=num_steps, initial=start, desc=title, unit="step", dynamic_ncols=True)

    def step(self, count: int = 1) -> None:
        """Counts ``count`` finished steps."""
        self._step += count
        # The first step compiles, which says nothing about the others.
        if self._first is None:
            self._first = self._step, time.monotonic()
        if self._bar is not None:
            self._bar.update(count)

    def show(self, step: int, metrics: Mapping[str, float]) -> None:
        """Shows ``metrics`` of ``step``, but for the details: those with a ``/`` in their name."""
        text = " ".join(f"{name}={value:.4g}" for name, value in metrics.items() if "/" not in name)
        if self._bar is not None:
            self._bar.set_postfix_str(text)
        elif step == self._num_steps or time.monotonic() - self._last_line >= _SECONDS_BETWEEN_LINES:
            self._last_line = time.monotonic()
            self.say(f"step {step}/{self._num_steps} {text}{self._time_left(step)}")

    def say(self, message: str) -> None:
        """Prints one line without disturbing the bar."""
        if not self._quiet:
            tqdm.write(f"{self._title}: {message}", file=sys.stderr)

    def close(self) -> None:
        """Leaves the bar as it stands."""
        if self._bar is not None:
            self._bar.close()

    def _time_left(self, step: int) -> str:
        if self._first is None or not self._first[0] < step < self._num_steps:
            return ""
        first, began = self._first
        per_step = (time.monotonic() - began) / (step - first)
        return f" (about {tqdm.format_interval(int(per_step * (self._num_steps - step)))} left)"


def _lines_up_to(step: int, path: Path) -> list[str]:
    if not path.exists():
        return []
    # What is no line of ours was cut off when an earlier run was killed, or is damaged.
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines(keepends=True)
    return [line for line in lines if line.endswith("\n") and _step_of(line) <= step]


def _step_of(line: str) -> float:
    """The step that a logged line is about; infinity for what is no such line."""
    try:
        return float(json.loads(line)["step"])
    except (ValueError, TypeError, LookupError, RecursionError):
        return math.inf
