"""The same computation in PyTorch, in a process of its own that is asked for one call at a time."""

import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict

from jaxpath import gencnp, targets
from jaxpath.runs.options import GeneratorOptions
from jaxpath.runs.throughput.workload import Workload
from jaxpath.targets.torch_names import parameter_slots
from jaxpath.types import InputError

TORCH_STEP = Path(__file__).with_name("torch_step.py")
"""The program of the other process; it needs PyTorch and NumPy only."""

REQUESTS = ("step", "floor", "forward")
"""What it can be asked for."""


@contextlib.contextmanager
def start_torch(
    workload: Workload, options: GeneratorOptions, *, compiled: bool = False, python: str | None = None
) -> Iterator["TorchProcess"]:
    """Runs :data:`TORCH_STEP` in a process that lives as long as the context.

    Args:
        workload: What both sides compute.
        options: Of the generator and its training.
        compiled: Whether PyTorch compiles the computation.
        python: Python that has PyTorch; None takes the one that runs this.

    Raises:
        InputError: There is no such Python.
    """
    aim = options.objective.build().aim
    if not isinstance(aim, gencnp.Faithfulness):
        raise InputError("the step in PyTorch is trained for a faithfulness; leave out other aims")
    settings = {
        "dtype": options.precision,
        "grid": options.grid,
        "compile": compiled,
        "random_density_share": aim.random_density_share,
        "faithfulness": aim.nats,
    }
    with tempfile.TemporaryDirectory() as folder:
        arrays = Path(folder) / "arrays.npz"
        write_arrays(workload, arrays)
        command = [python or sys.executable, str(TORCH_STEP)]
        process = _start([*command, "--arrays", str(arrays), "--settings", json.dumps(settings)])
        try:
            yield TorchProcess(process)
        finally:
            process.kill()
            process.communicate()


class TorchProcess:
    """A process that runs :data:`TORCH_STEP`, from :func:`start_torch`."""

    def __init__(self, process: subprocess.Popen) -> None:
        self._process = process

    def milliseconds(self, request: str) -> float:
        """The time of one call, one of :data:`REQUESTS`.

        Raises:
            InputError: The process has ended, such as for want of PyTorch.
        """
        return float(self._ask(request))

    def check(self) -> tuple[float, float]:
        """Takes a step; its loss and the norm of its gradient."""
        loss, norm = self._ask("check")
        return loss, norm

    def _ask(self, request: str) -> Any:
        assert self._process.stdin is not None and self._process.stdout is not None
        try:
            print(request, file=self._process.stdin, flush=True)
            answer = self._process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        if not answer:
            raise InputError(
                "the PyTorch process ended, its message is above; if PyTorch is not installed, "
                "pip install torch, or name a Python that has it with --torch-python"
            )
        return json.loads(answer)


def _start(command: Sequence[str]) -> subprocess.Popen:
    # The folder of the program is no place to import from: its neighbours need JAX.
    environment = {**os.environ, "PYTHONSAFEPATH": "1"}
    pipe = subprocess.PIPE
    try:
        return subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, text=True, bufsize=1)
    except OSError as error:
        raise InputError(
            f"{command[0]} cannot be started ({error.strerror}); name a Python that has PyTorch with "
            "--torch-python"
        ) from error


def write_arrays(workload: Workload, path: Path) -> None:
    """Writes all that both sides must agree on, in PyTorch's layout but for the generator's weights."""
    params, slots = flatten_dict(workload.params), parameter_slots(workload.target)
    arrays = {
        f"target/{slot.key}": slot.to_torch(np.asarray(params[slot.path], np.float32)) for slot in slots
    }
    weights = flatten_dict(workload.weights["params"], sep="/")
    arrays |= {f"generator/{name}": np.asarray(value, np.float32) for name, value in weights.items()}
    images = targets.normalize(jnp.asarray(workload.images), workload.target.preprocessing)
    arrays["images"] = np.asarray(images, np.float32).transpose(0, 3, 1, 2)
    np.savez(path, **arrays)  # type: ignore[arg-type]
