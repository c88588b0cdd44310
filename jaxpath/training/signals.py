"""Requests to stop, noticed between two steps."""

import signal
import threading
from types import FrameType

import jax
from jax.experimental import multihost_utils

_EXIT_STATUS: dict[int, int] = {signal.SIGTERM: 0, signal.SIGINT: 128 + signal.SIGINT}


class StopSignals:
    """While active, SIGTERM and Ctrl-C are noted instead of ending the program at once.

    A second Ctrl-C ends it at once. With several processes a signal reaches one of them, and all
    must stop after the same step; there JAX's preemption notice, which SIGTERM triggers, decides.
    """

    def __init__(self) -> None:
        self._received: int | None = None
        self._previous: dict[int, object] = {}

    def __enter__(self) -> "StopSignals":
        # Python allows signal handlers in the main thread only.
        if jax.process_count() == 1 and threading.current_thread() is threading.main_thread():
            for number in _EXIT_STATUS:
                self._previous[number] = signal.signal(number, self._note)
        return self

    def __exit__(self, *_) -> None:
        for number, handler in self._previous.items():
            signal.signal(number, handler)  # type: ignore[arg-type]

    def exit_status(self, step: int) -> int | None:
        """Returns the status to exit with after ``step`` (0 for SIGTERM), None to go on."""
        if jax.process_count() > 1:
            return 0 if multihost_utils.reached_preemption_sync_point(step) else None
        return None if self._received is None else _EXIT_STATUS[self._received]

    def _note(self, number: int, frame: FrameType | None) -> None:
        if number == signal.SIGINT and self._received == signal.SIGINT:
            raise KeyboardInterrupt
        self._received = number
