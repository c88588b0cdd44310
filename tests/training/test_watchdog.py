import time

import pytest

from jaxpath.training.watchdog import Watchdog


@pytest.fixture
def watched():
    """A watchdog that complains after a tenth of a second, and its complaints."""
    said: list[str] = []
    dog = Watchdog(said.append, at_least=0.1)
    yield dog, said
    dog.close()


def run(dog, steps, *, first=1):
    for step in range(first, first + steps):
        dog.done(step)
        time.sleep(0.002)


def test_a_step_that_hangs_is_named_once_with_its_time_and_the_median(watched):
    dog, said = watched
    run(dog, 5)
    time.sleep(0.5)
    assert len(said) == 1
    assert said[0].startswith("step 6 has taken 0 s so far, the median is 0.00")
    run(dog, 5, first=6)
    time.sleep(0.5)
    assert len(said) == 2 and said[1].startswith("step 11 ")


def test_steps_at_their_usual_pace_are_no_reason_to_complain(watched):
    dog, said = watched
    for step in range(8):
        dog.done(step)
        time.sleep(0.03)
    assert not said


def test_the_first_step_which_compiles_is_no_reason_to_complain(watched):
    dog, said = watched
    time.sleep(0.2)
    dog.done(1)
    time.sleep(0.2)
    assert not said


def test_what_is_no_step_may_take_its_time(watched):
    dog, said = watched
    run(dog, 5)
    dog.pause()
    time.sleep(0.5)
    assert not said
    # The pause is no step's duration either: the next one that hangs is named.
    run(dog, 5, first=6)
    time.sleep(0.5)
    assert len(said) == 1 and "the median is 0.00" in said[0]
