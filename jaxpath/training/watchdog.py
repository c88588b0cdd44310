"""Says when a step takes far longer than the others: a run that hangs should not be silent."""

import threading
import time
from collections import deque
from collections.abc import Callable

import numpy as np

_FACTOR = 20
_AT_LEAST = 30.0
_REMEMBERED = 100


class Watchdog:
    """Watches the time between two steps from a thread of its own.

    It complains once per step, after 20 times the median of the last 100 steps and no less than
    ``at_least`` seconds. It never ends anything: a slow file server may recover.

    Args:
        say: Gets the message.
        at_least: Seconds before the first complaint, however fast the steps are.
    """

    def __init__(self, say: Callable[[str], None], *, at_least: float = _AT_LEAST):
        self._say, self._at_least = say, at_least
        self._durations: deque[float] = deque(maxlen=_REMEMBERED)
        self._last: float | None = None
        self._step = 0
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._watch, name="watchdog", daemon=True)
        self._thread.start()

    def done(self, step: int) -> None:
        """Notes that ``step`` ended now. The first one, which compiles, is no measure of the others."""
        with self._changed:
            now = time.monotonic()
            if self._last is not None:
                self._durations.append(now - self._last)
            self._last, self._step = now, step
            self._changed.notify()

    def pause(self) -> None:
        """Watches nothing until the next step has ended: what comes now is no step."""
        with self._changed:
            self._last = None
            self._changed.notify()

    def close(self) -> None:
        """Ends the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _watch(self) -> None:
        complained = 0
        with self._changed:
            while not self._closed:
                if self._last is None or not self._durations or complained > self._step:
                    self._changed.wait()
                    continue
                median = float(np.median(self._durations))
                late = time.monotonic() - self._last - max(_FACTOR * median, self._at_least)
                if late < 0:
                    self._changed.wait(-late)
                    continue
                complained = self._step + 1
                self._say(
                    f"step {complained} has taken {time.monotonic() - self._last:.0f} s so far, the median "
                    f"is {median:.2g} s: look at the data's disk, the devices and the other processes"
                )
