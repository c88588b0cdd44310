"""The rule by which pathways are judged, on figures that a person can judge."""

import math

import numpy as np
import pytest

from jaxpath.findings import Control, Controls, judge
from jaxpath.types import InputError

NOTHING = Control.of(np.zeros(0), np.zeros(0, bool))


def once(probability, *, wins=None):
    return Control.of(np.array([probability]), np.array([probability >= 0.5 if wins is None else wins]))


def draws(low, high):
    return Control((low + high) / 2, 0.0, low, high, 8)


def shown(probability, share=None, runs=16):
    return Control(probability, float(probability >= 0.5) if share is None else share, 0.0, 1.0, runs)


CARRIES = Controls(once(0.95), once(0.02), draws(0.0, 0.1), draws(0.3, 0.6), shown(0.05), shown(0.02))
"""Enough, needed, and silent on other pictures."""

SWITCH = CARRIES._replace(other_pictures=shown(0.98), blank_pictures=shown(0.99))
"""As in most published methods: everything becomes the class."""

ABSENT = CARRIES._replace(alone=once(0.02), random_closed=draws(0.4, 0.6))
"""The class goes with the pathway alone."""


def test_a_control_is_the_mean_with_the_interval_of_student():
    control = Control.of(np.array([0.2, 0.4, 0.6]), np.array([False, False, True]))
    half = 4.302653 * 0.2 / math.sqrt(3)  # t at 0.975 with 2 degrees of freedom; s = 0.2
    assert control.probability == pytest.approx(0.4) and control.share == pytest.approx(1 / 3)
    assert control.low == 0 and control.high == pytest.approx(0.4 + half, abs=1e-6)
    assert control.runs == 3 and control.strongest == pytest.approx(0.4)
    assert once(0.7)[:4] == (0.7, 1.0, 0.7, 0.7)
    assert NOTHING.runs == 0 and NOTHING.strongest == 0 and math.isnan(NOTHING.probability)


@pytest.mark.parametrize(
    ("changes", "verdict"),
    [
        ({}, "carries_this_decision"),
        # Without other pictures, blank ones tell.
        ({"other_pictures": NOTHING}, "carries_this_decision"),
        ({"other_pictures": NOTHING, "blank_pictures": shown(0.9)}, "names_the_class"),
        # Half of the other pictures come out as the class, none of them surely.
        ({"other_pictures": shown(0.3, share=0.5)}, "names_the_class"),
        ({"other_pictures": shown(0.45, share=0.4)}, "carries_this_decision"),
        # ResNet-18 at a density of 20 %: closing as many random channels does the same.
        ({"closed": once(0.0), "random_closed": draws(0.0, 0.005)}, "names_the_class"),
        # A gap that is not clear.
        ({"closed": once(0.25), "random_closed": draws(0.34, 0.9)}, "names_the_class"),
        ({"closed": once(0.24), "random_closed": draws(0.34, 0.9)}, "carries_this_decision"),
        ({"alone": once(0.4)}, "not_enough"),
        ({"alone": once(0.3, wins=True)}, "carries_this_decision"),
        # Random channels do as well.
        ({"random_alone": draws(0.7, 0.9)}, "not_enough"),
        ({"random_alone": draws(0.7, 0.85)}, "carries_this_decision"),
    ],
)
def test_what_may_be_concluded_under_one_ablation(changes, verdict):
    controls = CARRIES._replace(**changes)
    judgement = judge({"zero": controls}, clean=0.9)
    assert controls.verdict == judgement.verdict == verdict
    assert judgement.by_ablation == {"zero": verdict} and not judgement.weak


@pytest.mark.parametrize(
    ("zero", "mean", "verdict", "weak"),
    [
        (CARRIES, CARRIES, "carries_this_decision", False),
        (SWITCH, SWITCH, "names_the_class", False),
        (ABSENT, ABSENT, "not_enough", False),
        (SWITCH, ABSENT, "names_the_class", True),
        (CARRIES, SWITCH, "names_the_class", True),
        # The decision counts as carried only if it is under each ablation.
        (CARRIES, ABSENT, "names_the_class", True),
    ],
)
def test_a_conclusion_that_holds_under_one_ablation_alone_is_weak(zero, mean, verdict, weak):
    for measured in ({"zero": zero, "mean": mean}, {"zero": mean, "mean": zero}):
        judgement = judge(measured, clean=0.9)
        assert (judgement.verdict, judgement.weak) == (verdict, weak)


@pytest.mark.parametrize(
    ("measured", "switch"),
    [
        ({"zero": CARRIES}, False),
        ({"zero": SWITCH}, True),
        ({"zero": SWITCH, "mean": ABSENT}, True),
        ({"zero": CARRIES, "mean": SWITCH}, True),
        # Enough, refused by other pictures and blank ones, and not needed.
        ({"zero": CARRIES._replace(random_closed=draws(0.0, 0.005))}, False),
        # What is not enough for its own picture says nothing to others.
        ({"zero": SWITCH._replace(alone=once(0.1))}, False),
    ],
)
def test_a_switch_is_what_other_pictures_follow(measured, switch):
    assert judge(measured, clean=0.9).switch == switch


def test_a_pathway_that_is_surer_than_the_network_is_told():
    assert judge({"zero": SWITCH._replace(alone=once(1.0))}, clean=0.3).surer
    assert not judge({"zero": SWITCH}, clean=0.9).surer
    assert judge({"zero": ABSENT, "mean": SWITCH}, clean=0.8).surer


def test_nothing_that_was_measured_is_refused():
    with pytest.raises(InputError, match="at least one ablation"):
        judge({}, clean=0.5)
