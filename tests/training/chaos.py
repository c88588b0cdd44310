"""Kills one run again and again and compares its end with that of a run that was left alone.

    python tests/training/chaos.py --kills 20 --seed 7

Each time the program is started anew, makes some steps, and gets SIGKILL or SIGTERM at a random moment;
with a checkpoint every third step, many of them arrive while one is being written.
"""

import argparse
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

HERE = Path(__file__).parent
SECONDS_PER_BATCH = 0.02
NUMBERS = (signal.SIGKILL, signal.SIGTERM)


def start(folder: Path, num_steps: int) -> subprocess.Popen:
    """The tiny training as a program of its own, which prints a line per batch."""
    path = os.pathsep.join([str(HERE.parents[1]), os.environ.get("PYTHONPATH", "")])
    command = [sys.executable, HERE / "tiny_program.py", folder, str(num_steps), str(SECONDS_PER_BATCH)]
    environment = {**os.environ, "PYTHONPATH": path, "JAX_PLATFORMS": "cpu"}
    return subprocess.Popen(
        command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


def finish(folder: Path, num_steps: int) -> dict[str, np.ndarray]:
    """Runs to the end; returns the final parameters."""
    process = start(folder, num_steps)
    _, error = process.communicate(timeout=300)
    assert process.returncode == 0, error
    return dict(np.load(folder / "final.npz"))


def stop(folder: Path, num_steps: int, number: int, *, batches: int, delay: float) -> None:
    """Sends a signal some time after so many batches."""
    process = start(folder, num_steps)
    for count, _ in enumerate(process.stdout, start=1):
        if count == batches:
            break
    time.sleep(delay)
    process.send_signal(number)
    _, error = process.communicate(timeout=300)
    allowed = {signal.SIGKILL: -signal.SIGKILL, signal.SIGTERM: 0}[number]
    assert process.returncode == allowed, error


def run(folder: Path, *, kills: int, seed: int) -> None:
    """Raises an AssertionError unless the interrupted run ends with the bits of the other."""
    moment = random.Random(seed)
    lives = [
        (NUMBERS[k % 2], moment.randrange(4, 16), moment.uniform(0, 4 * SECONDS_PER_BATCH))
        for k in range(kills)
    ]
    # Long enough that it cannot end before the last signal.
    num_steps = sum(batches for _, batches, _ in lives) + 10 * kills
    expected = finish(folder / "uninterrupted", num_steps)
    for number, batches, delay in lives:
        stop(folder / "run", num_steps, number, batches=batches, delay=delay)
        assert not (folder / "run" / "final.npz").exists(), "it ended before it was stopped"
    resumed = finish(folder / "run", num_steps)
    for name, values in expected.items():
        np.testing.assert_array_equal(resumed[name], values)


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--kills", type=int, default=20)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 1_000_000)
    options = parser.parse_args()
    print(f"seed {options.seed}")
    with tempfile.TemporaryDirectory() as scratch:
        run(Path(scratch), kills=options.kills, seed=options.seed)
    print(f"{options.kills} kills: the same bits")
