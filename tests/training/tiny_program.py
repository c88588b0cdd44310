"""A program that runs the tiny training: ``tiny_program.py FOLDER NUM_STEPS [SECONDS_PER_BATCH]``."""

import sys
import time
from pathlib import Path

import jax
import numpy as np
import tiny_training as tiny

from jaxpath.devices import make_mesh
from jaxpath.training import MetricLog, Storage, fit
from jaxpath.training.checkpoints import Checkpoints


class Slow(tiny.Batches):
    """Takes its time, so that a signal can arrive at any moment of the run."""

    def __next__(self):
        time.sleep(float(sys.argv[3]))
        print("batch", self._next, flush=True)
        return super().__next__()


def main():
    folder, num_steps = Path(sys.argv[1]), int(sys.argv[2])
    checkpoints = Checkpoints(folder / "checkpoints", config={"num_steps": num_steps}, save_every=3)
    mesh = make_mesh()
    result = fit(
        tiny.state(jax.random.key(0)),
        tiny.step(mesh),
        Slow(),
        tiny.frozen(),
        num_steps=num_steps,
        mesh=mesh,
        storage=Storage(checkpoints, MetricLog(folder), log_every=1),
    )
    checkpoints.close()
    np.savez(folder / "final.npz", **result.state.params, dual=result.state.extra["dual"])


if __name__ == "__main__":
    main()
