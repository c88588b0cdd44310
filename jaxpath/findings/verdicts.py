"""What may be concluded from a pathway: the one rule that pages, terminal, files and Python use.

Plain numbers in, a plain answer out: nothing here runs a network.
"""

import math
from collections.abc import Mapping
from typing import Any, Literal, NamedTuple, get_args

import numpy as np

from jaxpath.metrics import seed_interval
from jaxpath.types import InputError

Verdict = Literal["carries_this_decision", "names_the_class", "not_enough"]
"""What may be concluded."""

VERDICTS: tuple[Verdict, ...] = get_args(Verdict)
"""The strongest first."""

CLEAR = 0.1
"""A probability differs clearly from an interval if it lies so far beyond its nearer end: our choice."""

HALF = 0.5
"""A pathway says the class by itself if so many of other pictures get it, or get it so probably."""


_ROUNDING = 1e-9
"""What is 0.1 on paper is less than 0.1 between some binary numbers, such as 0.95 and 0.85."""


class Control(NamedTuple):
    """What the class in question gets in some runs of the classifier.

    Attributes:
        probability: Mean probability over the runs; NaN without any.
        share: Share of the runs that end as the class; NaN without any.
        low: Low end of the 95 % interval of the mean, by Student's t, at least 0; the mean of a single run.
        high: Its high end, at most 1.
        runs: How many.
    """

    probability: float
    share: float
    low: float
    high: float
    runs: int

    @classmethod
    def of(cls, probabilities: np.ndarray, wins: np.ndarray) -> "Control":
        """The control of runs, [n] each: probability of the class, and whether it came out.

        >>> Control.of(np.array([0.25, 0.75]), np.array([False, True]))
        Control(probability=0.5, share=0.5, low=0.0, high=1.0, runs=2)
        """
        runs = len(probabilities)
        if not runs:
            return cls(math.nan, math.nan, math.nan, math.nan, 0)
        mean, share = float(np.mean(probabilities)), float(np.mean(wins))
        if runs == 1:
            return cls(mean, share, mean, mean, 1)
        _, low, high = seed_interval(probabilities, bounds=(0.0, 1.0))
        return cls(mean, share, low, high, runs)

    @property
    def strongest(self) -> float:
        """The share or the probability, whichever is larger; 0 without a run."""
        return max(self.share, self.probability) if self.runs else 0.0


def _clearly_above(high: float, low: float) -> bool:
    return high - low >= CLEAR - _ROUNDING


class Controls(NamedTuple):
    """A pathway and its controls under one ablation: what the class in question gets in each of them.

    Attributes:
        alone: The picture with only the pathway open.
        closed: The picture with exactly the pathway closed.
        random_alone: With as many random channels open, as many at each site; several draws.
        random_closed: With these closed.
        other_pictures: Pictures of other classes with only the pathway open.
        blank_pictures: Blank pictures with only the pathway open.
    """

    alone: Control
    closed: Control
    random_alone: Control
    random_closed: Control
    other_pictures: Control
    blank_pictures: Control

    @property
    def enough(self) -> bool:
        """Whether the pathway alone keeps the class, and clearly better than random channels alone."""
        return self.alone.share >= HALF and _clearly_above(self.alone.low, self.random_alone.high)

    @property
    def needed(self) -> bool:
        """Whether the class suffers clearly more without the pathway than without random channels."""
        return _clearly_above(self.random_closed.low, self.closed.high)

    @property
    def says_it_by_itself(self) -> bool:
        """Whether other pictures, or blank ones, become the class under the pathway."""
        return max(self.other_pictures.strongest, self.blank_pictures.strongest) >= HALF

    @property
    def verdict(self) -> Verdict:
        """What may be concluded under this ablation."""
        if not self.enough:
            return "not_enough"
        return "carries_this_decision" if self.needed and not self.says_it_by_itself else "names_the_class"


class Judgement(NamedTuple):
    """What may be concluded from a pathway under all ablations that were measured.

    Attributes:
        verdict: The conclusion.
        by_ablation: The conclusion under each ablation alone.
        surer: Whether the pathway alone gives the class clearly more than the whole network does.
        switch: Whether other pictures or blank ones become the class under the pathway, under an ablation
            under which it is enough.
    """

    verdict: Verdict
    by_ablation: Mapping[str, Verdict]
    surer: bool
    switch: bool

    @property
    def weak(self) -> bool:
        """Whether the ablations disagree."""
        return len(set(self.by_ablation.values())) > 1


def judge(controls: Mapping[str, Controls], clean: float) -> Judgement:
    """What may be concluded from a pathway.

    Under one ablation, with p the probability of the class in question:

    - *enough*: the pathway alone keeps the class, and its p lies at least 0.1 above the interval of as many
      random channels alone;
    - *needed*: with the pathway closed, p lies at least 0.1 below the interval with as many random ones
      closed;
    - *says it by itself*: half of the pictures of other classes, or of blank pictures, come out as the class
      under the pathway, or their mean p is one half or more.

    What is not enough is ``not_enough``. What is enough, is needed, and does not say it by itself
    ``carries_this_decision``. All else ``names_the_class``; what says the class by itself is a switch for it,
    and no evidence about the picture. Where ablations disagree the conclusion is weak: the decision counts as
    carried only if it is under each of them, and the pathway as not enough only if it is under none.

    Args:
        controls: Ablation -> what was measured under it.
        clean: The probability in the whole network.

    Raises:
        InputError: Nothing was measured.

    >>> likely, unlikely = (Control.of(np.full(8, p), np.full(8, p > 0.5)) for p in (0.9, 0.1))
    >>> measured = Controls(likely, unlikely, unlikely, likely, unlikely, unlikely)
    >>> judge({"zero": measured}, 0.9).verdict
    'carries_this_decision'
    >>> judgement = judge({"zero": measured, "mean": measured._replace(alone=unlikely)}, 0.9)
    >>> judgement.verdict, judgement.weak
    ('names_the_class', True)
    """
    if not controls:
        raise InputError("there are no controls to judge by; measure a pathway under at least one ablation")
    each = {name: measured.verdict for name, measured in controls.items()}
    found = set(each.values())
    verdict: Verdict = found.pop() if len(found) == 1 else "names_the_class"
    surer = any(_clearly_above(measured.alone.probability, clean) for measured in controls.values())
    switch = any(measured.enough and measured.says_it_by_itself for measured in controls.values())
    return Judgement(verdict, each, surer, switch)


def as_row(controls: Mapping[str, Controls]) -> dict[str, dict[str, Any]]:
    """The controls as plain values for a file: ablation -> name -> probability.

    Beside it, ``_share`` is the share of runs that end as the class, ``_low`` and ``_high`` are the ends of
    the interval of random channels, and ``_runs`` says of how many.
    """
    return {ablation: _flat(measured) for ablation, measured in controls.items()}


def _flat(measured: Controls) -> dict[str, Any]:
    row: dict[str, Any] = {name: control.probability for name, control in measured._asdict().items()}
    for name, control in measured._asdict().items():
        row[f"{name}_share"] = control.share
        if name.startswith("random_"):
            row |= {f"{name}_low": control.low, f"{name}_high": control.high}
        if name not in ("alone", "closed"):
            row[f"{name}_runs"] = control.runs
    return row | {"verdict": measured.verdict}
