"""A run that is killed and started again ends as one that was left alone: the real script, SIGKILL."""

import json
import signal
import subprocess
import time
from pathlib import Path

import pytest
from launching import launch

OPTIONS = ["--train-steps", 20, "--train-batch-size", 32, "--batch-size", 32, "--width", 8]
OPTIONS += ["--steps", 60, "--checkpoint-every", 5, "--augment", "shift"]


def start(out: Path) -> subprocess.Popen:
    return launch("digits", *OPTIONS, "--out", out, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)


def steps_done(out: Path) -> int:
    path = out / "metrics.jsonl"
    lines = path.read_text().splitlines(keepends=True) if path.exists() else []
    return max((json.loads(line)["step"] for line in lines if line.endswith("\n")), default=0)


@pytest.mark.slow
def test_a_killed_run_ends_with_the_same_bits(tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    finished = start(whole)
    _, error = finished.communicate(timeout=300)
    assert finished.returncode == 0, error

    with start(killed) as process:
        deadline = time.monotonic() + 200
        while steps_done(killed) < 20 and process.poll() is None:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        process.send_signal(signal.SIGKILL)
        assert process.wait(timeout=60) == -signal.SIGKILL, "it ended before it was killed"
    assert not (killed / "results.json").exists()

    again = start(killed)
    _, error = again.communicate(timeout=300)
    assert again.returncode == 0, error
    assert "generator: continues after step" in error
    name = "generator.safetensors"
    assert (killed / name).read_bytes() == (whole / name).read_bytes()
