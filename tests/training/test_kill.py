"""Runs that are killed: programs of their own, as a machine that dies would leave them."""

import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).parent
NUM_STEPS = 40
SECONDS_PER_BATCH = 0.02


@pytest.fixture(scope="module", autouse=True)
def compilation_cache(tmp_path_factory):
    """The programs of this module compile their step once between them."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("JAX_COMPILATION_CACHE_DIR", str(tmp_path_factory.mktemp("cache")))
        patch.setenv("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0")
        patch.setenv("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")
        yield


def start(folder):
    path = os.pathsep.join([str(HERE.parents[1]), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, HERE / "tiny_program.py", folder, str(NUM_STEPS), str(SECONDS_PER_BATCH)]
    environment = {**os.environ, "PYTHONPATH": path, "JAX_PLATFORMS": "cpu"}
    return subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)


def finish(folder):
    process = start(folder)
    process.communicate(timeout=300)
    assert process.returncode == 0
    return dict(np.load(folder / "final.npz"))


def stop_after_batch(folder, batch, number, *, delay=0.0):
    """Sends signal ``number`` some time after the program has read a batch."""
    process = start(folder)
    for line in process.stdout:
        if line.split() == ["batch", str(batch)]:
            break
    time.sleep(delay)
    process.send_signal(number)
    process.communicate(timeout=300)
    return process.returncode


def steps_logged(folder):
    return [json.loads(line)["step"] for line in (folder / "metrics.jsonl").read_text().splitlines()]


def test_a_run_killed_at_a_random_moment_and_then_terminated_ends_with_the_same_bits(tmp_path):
    seed = int(os.environ.get("JAXPATH_TEST_SEED", time.time_ns() % 1_000_000))
    print(f"JAXPATH_TEST_SEED={seed}")
    moment = random.Random(seed)
    expected = finish(tmp_path / "uninterrupted")
    run = tmp_path / "run"

    batch, delay = moment.randrange(1, 20), moment.uniform(0, 3 * SECONDS_PER_BATCH)
    assert stop_after_batch(run, batch, signal.SIGKILL, delay=delay) == -signal.SIGKILL
    assert not (run / "final.npz").exists()

    assert stop_after_batch(run, 27, signal.SIGTERM) == 0
    done = steps_logged(run)[-1]
    assert done >= 27
    assert (run / "checkpoints" / str(done)).is_dir()

    found = finish(run)
    for name, values in expected.items():
        np.testing.assert_array_equal(found[name], values)
    assert steps_logged(run) == list(range(1, NUM_STEPS + 1))
