"""Ends a training that gets no better on images that it does not learn from."""

import math
from collections.abc import Callable
from typing import Any, NamedTuple

from jaxpath.training.state import TrainState


class Look(NamedTuple):
    """What was measured after a step.

    Attributes:
        step: Number of steps done.
        value: High is good.
    """

    step: int
    value: float


class EarlyStopping:
    """Looks at the parameters now and then, keeps the best, and ends the run when they get no better.

    A run that is resumed does what it would have done: what was seen is in the checkpoint, and what is kept
    is made again by the same steps.

    Args:
        measure: Of the parameters; high is good, and the same parameters measure the same.
        keep: Gets the parameters whenever they are the best so far.
        every: Steps between two looks.
        patience: Looks without a better one after which the run ends.
        say: Gets one line for each look.
    """

    def __init__(
        self,
        measure: Callable[[Any], float],
        keep: Callable[[Any], None],
        *,
        every: int,
        patience: int,
        say: Callable[[str], None] = lambda line: None,
    ) -> None:
        self._measure, self._keep, self._say = measure, keep, say
        self._every, self._patience = every, patience
        self.looks: tuple[Look, ...] = ()

    @property
    def best(self) -> Look:
        """The best look, the first of several; step 0 before there is one."""
        return max(self.looks, key=lambda look: look.value, default=Look(0, -math.inf))

    @property
    def ended(self) -> bool:
        """Whether the run has ended before its last step."""
        since = [look for look in self.looks if look.step > self.best.step]
        return len(since) >= self._patience

    def due(self, step: int) -> bool:
        """Whether ``step`` is one to look after; the last one is in any case."""
        return step % self._every == 0

    def look(self, state: TrainState, step: int) -> bool:
        """Measures after ``step``; returns whether the run ends now."""
        value = self._measure(state.params)
        if value > self.best.value:
            self._keep(state.params)
        self.looks = (*self.looks, Look(step, value))
        best = (
            "the best so far" if self.best.step == step else f"best {self.best.value:.4f} at {self.best.step}"
        )
        self._say(f"step {step}: held out {value:.4f}, {best}{'; training ends' if self.ended else ''}")
        return self.ended

    def get_state(self) -> list[list[float]]:
        """What was seen, of JSON's types."""
        return [list(look) for look in self.looks]

    def set_state(self, state: list[Any]) -> None:
        """Goes back to what had been seen then."""
        self.looks = tuple(Look(int(step), float(value)) for step, value in state)
