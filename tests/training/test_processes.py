"""Several processes, each with devices of its own, as on a cluster: started, compared, and killed."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import jax
import numpy as np
import pytest

from jaxpath.devices import start_processes
from jaxpath.types import InputError

HERE = Path(__file__).parent
BATCH = 16


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def start(folder, num_steps, *, processes=1, devices=1, index=0, port=None):
    cluster = [f"127.0.0.1:{port}", str(processes), str(index)] if processes > 1 else []
    environment = {
        **os.environ,
        "PYTHONPATH": os.pathsep.join([str(HERE.parents[1]), os.environ.get("PYTHONPATH", "")]),
        "JAX_PLATFORMS": "cpu",
        "JAX_NUM_CPU_DEVICES": str(devices),
    }
    command = [sys.executable, str(HERE / "process_program.py"), str(folder), str(num_steps), *cluster]
    return subprocess.Popen(command, env=environment, stderr=subprocess.PIPE, text=True)


def start_pair(folder, num_steps, *, devices):
    port = free_port()
    return [
        start(folder, num_steps, processes=2, devices=devices, index=index, port=port) for index in range(2)
    ]


def end(*processes, timeout=200):
    """Waits for all; returns their exit statuses and what they said."""
    errors = [process.communicate(timeout=timeout)[1] for process in processes]
    return [process.returncode for process in processes], errors


def params(folder, num_steps):
    return dict(np.load(folder / f"params-{num_steps}.npz"))


def examples(folder, name):
    return [json.loads(line) for line in (folder / f"examples-{name}.jsonl").read_text().splitlines()]


def test_two_processes_of_four_devices_train_and_resume_like_one_with_one_device(tmp_path):
    one, two = tmp_path / "one", tmp_path / "two"
    statuses, errors = end(*start_pair(two, 10, devices=4))
    assert statuses == [0, 0], errors
    statuses, errors = end(start(one, 20))
    assert statuses == [0], errors

    shards = [examples(two, f"{index}-of-2") for index in range(2)]
    whole = examples(one, "0-of-1")
    assert len(shards[0]) == len(shards[1]) == 10
    for left, right, both in zip(*shards, whole, strict=False):
        assert len(left) == len(right) == BATCH // 2
        assert [index for pair in zip(left, right, strict=True) for index in pair] == both

    # Written by two processes, read by one with two devices, which goes on from there.
    assert (two / "checkpoints" / "10").is_dir()
    process = start(two, 20, devices=2)
    statuses, errors = end(process)
    assert statuses == [0], errors
    assert "continues after step 10" in errors[0]
    assert examples(two, "0-of-1") == whole[10:20]
    for name, values in params(one, 20).items():
        np.testing.assert_allclose(params(two, 20)[name], values, atol=1e-5)


@pytest.mark.parametrize("victim", [0, pytest.param(1, marks=pytest.mark.slow)])
def test_if_one_process_is_killed_the_other_ends_soon_and_the_restarted_pair_finishes(tmp_path, victim):
    folder = tmp_path / "run"
    pair = start_pair(folder, 600, devices=1)
    wait_for_the_first_checkpoint(folder, pair)
    pair[victim].send_signal(signal.SIGKILL)
    began = time.monotonic()
    (status,), (error,) = end(pair[1 - victim], timeout=120)
    assert time.monotonic() - began < 120
    assert status not in (0, None)
    assert error.strip(), "it ended without a word"
    end(pair[victim])

    statuses, errors = end(*start_pair(folder, 20, devices=1))
    assert statuses == [0, 0], errors
    assert "continues after step" in errors[0]


def test_sigterm_to_one_process_saves_and_ends_both_with_status_0(tmp_path):
    folder = tmp_path / "run"
    pair = start_pair(folder, 2000, devices=1)
    wait_for_the_first_checkpoint(folder, pair)
    pair[1].send_signal(signal.SIGTERM)
    statuses, errors = end(*pair)
    assert statuses == [0, 0], errors
    assert "stopped and saved after step" in errors[0]


def wait_for_the_first_checkpoint(folder, processes):
    deadline = time.monotonic() + 100
    while not (folder / "checkpoints" / "5").is_dir():
        assert time.monotonic() < deadline and all(process.poll() is None for process in processes)
        time.sleep(0.05)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("10.0.0.1:80", None, None), "--num-processes and --process-id must be given as well"),
        (("10.0.0.1:80", 2, None), "--process-id must be given as well"),
        ((None, 2, 0), "--coordinator must be given as well"),
        (("10.0.0.1", 2, 0), "expected HOST:PORT"),
        (("10.0.0.1:80", 2, 2), "numbered from 0 to 1"),
    ],
)
def test_settings_that_do_not_fit_together_are_named(arguments, message):
    with pytest.raises(InputError, match=message):
        start_processes(*arguments)


def test_processes_that_start_after_jax_has_are_one_sentence():
    jax.devices()
    with pytest.raises(InputError, match="before anything else uses JAX"):
        start_processes("127.0.0.1:9876", 2, 0)
