"""Runs that are killed: programs of their own, as a machine that dies would leave them."""

import json
import os
import signal
import time

import chaos
import pytest

NUM_STEPS = 40


@pytest.fixture(scope="module", autouse=True)
def compilation_cache(tmp_path_factory):
    """The programs of this module compile their step once between them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
        patch.setenv("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")
        yield


@pytest.mark.parametrize("kills", [2, pytest.param(20, marks=pytest.mark.slow)])
def test_a_run_stopped_at_random_moments_ends_with_the_bits_of_one_left_alone(tmp_path, kills):
    seed = int(os.environ.get("JAXPATH_TEST_SEED", time.time_ns() % 1_000_000))
    print(f"JAXPATH_TEST_SEED={seed}")
    chaos.run(tmp_path, kills=kills, seed=seed)


def test_sigterm_saves_the_step_under_way_and_no_step_is_logged_twice(tmp_path):
    chaos.stop(tmp_path, NUM_STEPS, signal.SIGTERM, batches=20, delay=0.0)
    done = steps_logged(tmp_path)[-1]
    # The batch that was read last belongs to the next step.
    assert done >= 19
    assert (tmp_path / "checkpoints" / str(done)).is_dir()
    chaos.finish(tmp_path, NUM_STEPS)
    assert steps_logged(tmp_path) == list(range(1, NUM_STEPS + 1))


def steps_logged(folder):
    return [json.loads(line)["step"] for line in (folder / "metrics.jsonl").read_text().splitlines()]
