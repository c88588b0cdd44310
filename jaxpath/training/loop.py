"""The training loop: steps, logs, checkpoints, and stopping well."""

import math
import time
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple, Protocol

import jax
import numpy as np
from jax.sharding import Mesh

from jaxpath.devices.mesh import replicate, serial_dispatch, shard_batch
from jaxpath.errors import TrainingDiverged
from jaxpath.training.logs import MetricLog, Progress
from jaxpath.training.signals import StopSignals
from jaxpath.training.state import TrainState
from jaxpath.training.step import RESERVED, Metrics, Step
from jaxpath.training.stopping import EarlyStopping
from jaxpath.training.watchdog import Watchdog
from jaxpath.types import Batch, InputError


class BatchIterator(Protocol):
    """Endless batches of this process whose place in the data can be saved."""

    def __next__(self) -> Mapping[str, np.ndarray]: ...

    def get_state(self) -> Any:
        """Returns what :meth:`set_state` takes, JSON's types or bytes, alike on every process."""
        ...

    def set_state(self, state: Any) -> None: ...


class Saver(Protocol):
    """What the loop needs of :class:`~jaxpath.training.checkpoints.Checkpoints`."""

    @property
    def latest_step(self) -> int | None: ...
    def due(self, step: int) -> bool: ...
    def save(self, step: int, state: TrainState, *, data: Any, looks: Any = None) -> None: ...
    def restore(self, abstract_state: TrainState) -> Any: ...
    def wait(self) -> None: ...


class Storage(NamedTuple):
    """Where a run is kept: what it continues from, and what it writes.

    Attributes:
        checkpoints: Where to continue from and save to; nothing is saved without.
        log: Gets the metrics of every ``log_every``-th step and of the last one.
        log_every: Steps between two logged ones, in the terminal as well.
        stopping: Looks at the parameters now and then, and may end the run; checkpoints hold what it saw.
    """

    checkpoints: Saver | None = None
    log: MetricLog | None = None
    log_every: int = 10
    stopping: EarlyStopping | None = None


NOWHERE = Storage()


class FitResult(NamedTuple):
    """A finished run.

    Attributes:
        state: After the last step.
        metrics: Of the last step; empty if none was left to do.
        first_step: Step that this call continued after, 0 for a fresh run.
        seconds: Wall time of this call's steps, with saving, without compilation.
        compile_seconds: Tracing and compiling the step.
        images_per_second: Global batch size times this call's steps over ``seconds``.
        input_seconds: Upper bound on the seconds that steps waited for input: reading times of the batches
            that came after the step before had ended.
    """

    state: TrainState
    metrics: dict[str, float]
    first_step: int
    seconds: float
    compile_seconds: float
    images_per_second: float
    input_seconds: float


def fit(
    state: TrainState,
    step: Step,
    batches: BatchIterator,
    frozen: Any,
    *,
    num_steps: int,
    mesh: Mesh,
    storage: Storage = NOWHERE,
    title: str = "train",
) -> FitResult:
    """Trains until ``num_steps`` steps are done, continuing after the newest checkpoint.

    The next batch is read and sent while a step runs, and a step's metrics are looked at while the
    next one runs. A checkpoint is written only after the metrics of its step were seen to be
    finite, and holds the data iterator as it stood after that step's batch: a run that was killed
    and started again ends with the same bits.

    With ``storage.stopping`` the run ends early where that says so; the state is that of the last step, the
    best parameters are what it kept.

    SIGTERM and Ctrl-C end the run after the step under way: it saves and raises ``SystemExit``
    with status 0 or 130. A step that takes far longer than the others is reported, not ended.

    Args:
        state: From :func:`~jaxpath.training.state.create_state`. Its arrays are donated.
        step: From :func:`~jaxpath.training.step.make_train_step`.
        batches: This process's part of the global batches.
        frozen: Second argument of ``step``.
        num_steps: Number of steps of the whole run, those before a restart included.
        mesh: The devices of ``step``.
        storage: Checkpoints and logs; by default nothing is kept.
        title: Name of the run in the terminal.

    Raises:
        TrainingDiverged: Loss, gradient or update is not finite; the checkpoints before stay.
        InputError: The data ended, or the newest checkpoint is past ``num_steps``.
    """
    state, frozen = replicate((state, frozen), mesh)
    checkpoints = storage.checkpoints
    first, state = _resume(state, batches, storage, num_steps)
    run = _Run(first, num_steps, storage, title)
    feed = _Feed(batches, mesh)
    try:
        with StopSignals() as stop:
            for k in run.steps_left():
                state, metrics = run.timed(step, state, frozen, feed.take(k))
                if serial_dispatch(mesh):
                    jax.block_until_ready((state, metrics))
                if k < num_steps:
                    feed.load(k + 1, during=metrics)
                run.done(k, metrics)
                ended = run.look(k, state)
                status = stop.exit_status(k)
                if checkpoints and (checkpoints.due(k) or k == num_steps or ended or status is not None):
                    run.save(k, state, feed.state)
                if status is not None:
                    run.stopped(k)
                    raise SystemExit(status)
            run.catch_up()
    finally:
        run.close()
        if checkpoints is not None:
            checkpoints.wait()
    return run.result(state, feed)


def _resume(
    state: TrainState, batches: BatchIterator, storage: Storage, num_steps: int
) -> tuple[int, TrainState]:
    restored = None if storage.checkpoints is None else storage.checkpoints.restore(state)
    if restored is None:
        return 0, state
    if restored.step > num_steps:
        raise InputError(
            f"the newest checkpoint has {restored.step} steps, but the run is to have {num_steps}; ask for "
            f"{restored.step} steps or more, or take another folder"
        )
    if restored.data is not None:
        batches.set_state(restored.data)
    if storage.stopping is not None and restored.looks is not None:
        storage.stopping.set_state(restored.looks)
    return restored.step, restored.state


class _Feed:
    """Reads one batch ahead, and knows the iterator's state after the last batch taken."""

    def __init__(self, batches: BatchIterator, mesh: Mesh):
        self._batches, self._mesh = batches, mesh
        self._ahead: tuple[Batch, Any] | None = None
        self.state: Any = None
        self.batch_size = 0
        self.seconds = 0.0

    def load(self, step: int, during: Metrics | None = None) -> None:
        """Reads the batch of ``step`` and starts sending it to the devices.

        ``during`` are metrics of the step that runs meanwhile.
        """
        start = time.perf_counter()
        try:
            batch = next(self._batches)
        except StopIteration:
            raise InputError(
                f"the data ended before step {step}; give batches that repeat without end"
            ) from None
        self._ahead = shard_batch(batch, self._mesh), self._batches.get_state()
        if during is not None and all(value.is_ready() for value in during.values()):  # type: ignore[attr-defined]
            self.seconds += time.perf_counter() - start

    def take(self, step: int) -> Batch:
        """Returns the batch of ``step``."""
        if self._ahead is None:
            self.load(step)
        assert self._ahead is not None  # for the type checker
        (batch, self.state), self._ahead = self._ahead, None
        self.batch_size = len(next(iter(batch.values())))
        return batch


class _Run:
    """The numbers of a run: times, the metrics under way, what was logged."""

    def __init__(self, first: int, num_steps: int, storage: Storage, title: str):
        self._first, self._num_steps = first, num_steps
        self._last = first
        self._checkpoints, self._log, self._log_every, self._stopping = storage
        self._progress = Progress(num_steps, start=first, title=title)
        self._pending: tuple[int, Metrics] | None = None
        self._metrics: dict[str, float] = {}
        self._began, self._compile_seconds = time.perf_counter(), 0.0
        self._seconds = 0.0
        self._watchdog = Watchdog(self._progress.say)
        if self._log is not None:
            self._log.start(first)
        if first:
            self._progress.say(f"continues after step {first}")

    def steps_left(self) -> Iterator[int]:
        """The steps to do, until the last one or an early end."""
        while self._last < self._num_steps and not (self._stopping is not None and self._stopping.ended):
            self._last += 1
            yield self._last

    def timed(self, step: Step, *args: Any) -> tuple[TrainState, Metrics]:
        """Calls ``step``; the first call compiles, and returns when the step has started."""
        if self._compile_seconds:
            return step(*args)
        start = time.perf_counter()
        out = step(*args)
        self._compile_seconds = time.perf_counter() - start
        return out

    def done(self, k: int, metrics: Metrics) -> None:
        """Looks at the step before ``k``; ``k`` itself may still be running."""
        self.catch_up()
        self._pending = k, metrics

    def look(self, k: int, state: TrainState) -> bool:
        """Measures what is held out, if that is due after step ``k``; whether the run ends by it."""
        if self._stopping is None or not (self._stopping.due(k) or k == self._num_steps):
            return False
        self.catch_up()
        self._watchdog.pause()
        return self._stopping.look(state, k)

    def catch_up(self) -> None:
        """Waits for the step under way and looks at its metrics."""
        if self._pending is None:
            return
        (k, metrics), self._pending = self._pending, None
        self._metrics = {name: float(value) for name, value in jax.device_get(metrics).items()}
        watched = {name: self._metrics[name] for name in RESERVED if name in self._metrics}
        bad = [f"{name} is {value}" for name, value in watched.items() if not math.isfinite(value)]
        if bad:
            raise TrainingDiverged(
                f"training diverged at step {k}: {', '.join(bad)}; {self._last_good}; lower the learning "
                "rate or clip the gradient"
            )
        self._watchdog.done(k)
        self._progress.step()
        if k % self._log_every == 0 or k == self._num_steps:
            self._progress.show(k, self._metrics)
            if self._log is not None:
                self._log.write(k, self._metrics)

    def save(self, k: int, state: TrainState, data: Any) -> None:
        """Saves what is known to be good: the metrics of step ``k`` are looked at first."""
        self.catch_up()
        if self._checkpoints is not None:
            looks = None if self._stopping is None else self._stopping.get_state()
            self._checkpoints.save(k, state, data=data, looks=looks)

    def stopped(self, k: int) -> None:
        """Tells how to go on after step ``k``, once everything is on the disk."""
        if self._checkpoints is None:
            self._progress.say(f"stopped after step {k}; nothing was saved, as no checkpoints were asked for")
            return
        self._checkpoints.wait()
        self._progress.say(f"stopped and saved after step {k}; the same command continues from there")

    def close(self) -> None:
        self._seconds = time.perf_counter() - self._began - self._compile_seconds
        self._watchdog.close()
        self._progress.close()
        if self._log is not None:
            self._log.close()

    def result(self, state: TrainState, feed: _Feed) -> FitResult:
        images = feed.batch_size * (self._last - self._first)
        return FitResult(
            state=state,
            metrics=self._metrics,
            first_step=self._first,
            seconds=self._seconds,
            compile_seconds=self._compile_seconds,
            images_per_second=images / self._seconds if images else 0.0,
            input_seconds=feed.seconds,
        )

    @property
    def _last_good(self) -> str:
        if self._checkpoints is None or self._checkpoints.latest_step is None:
            return "no checkpoint was written before"
        return f"the last good checkpoint, of step {self._checkpoints.latest_step}, stays"
