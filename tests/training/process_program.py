"""One process of a run on digits: ``process_program.py FOLDER NUM_STEPS [COORDINATOR COUNT ID]``."""

import json
import sys
import time
from pathlib import Path

import jax
import numpy as np
import tiny_training as tiny

from jaxpath import data
from jaxpath.devices import end_process, make_mesh, start_processes
from jaxpath.training import MetricLog, Storage, fit
from jaxpath.training.checkpoints import Checkpoints
from jaxpath.types import Preprocessing

BATCH = 16
SECONDS_PER_BATCH = 0.05


class Recorded:
    """Batches of this process; writes down which examples each one holds."""

    def __init__(self, batches, path):
        self._batches, self._file = batches, path.open("a")

    def __next__(self):
        batch = next(self._batches)
        time.sleep(SECONDS_PER_BATCH)
        self._file.write(json.dumps(batch["index"].tolist()) + "\n")
        self._file.flush()
        # The tiny network knows two classes.
        return {**batch, "label": batch["label"] % 2}

    def __getattr__(self, name):
        return getattr(self._batches, name)


def main():
    folder, num_steps, cluster = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
    if cluster:
        start_processes(cluster[0], int(cluster[1]), int(cluster[2]))
    folder.mkdir(parents=True, exist_ok=True)
    checkpoints = Checkpoints(folder / "checkpoints", config={"run": "pair"}, save_every=5)
    mesh = make_mesh()
    batches = data.train_batches(
        data.digits("train"),
        batch_size=BATCH,
        preprocessing=Preprocessing(resize=8, crop=(8, 8), mean=(0.0,), std=(1.0,)),
        seed=0,
    )
    projection = jax.random.normal(jax.random.key(7), (64, 6)) / 8
    result = fit(
        tiny.state(jax.random.key(0)),
        tiny.step(mesh),
        Recorded(batches, folder / f"examples-{jax.process_index()}-of-{jax.process_count()}.jsonl"),
        {"projection": projection},
        num_steps=num_steps,
        mesh=mesh,
        storage=Storage(checkpoints, MetricLog(folder)),
    )
    checkpoints.close()
    if jax.process_index() == 0:
        np.savez(folder / f"params-{num_steps}.npz", **jax.device_get(result.state.params))


if __name__ == "__main__":
    try:
        main()
    except jax.errors.JaxRuntimeError as error:
        print("lost the others:", str(error).splitlines()[0], file=sys.stderr)
        end_process(1)
