"""The experiments are scripts: started in this process to see how they refuse, else as a user does."""

import subprocess
import sys
from pathlib import Path

import pytest
from launching import EXPERIMENTS, launch, run_here


@pytest.fixture
def run():
    """Runs an experiment to its end: ``run(name, "--out", folder) -> (status, stderr)``."""

    def complete(name: str, *arguments: object, num_devices: int = 2) -> tuple[int, str]:
        pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE}
        process = launch(name, *arguments, num_devices=num_devices, **pipes)
        try:
            _, error = process.communicate(timeout=500)
        except subprocess.TimeoutExpired:
            # It would go on beside the tests that follow.
            process.kill()
            process.communicate()
            raise
        return process.returncode, error

    return complete


@pytest.fixture
def start(monkeypatch, capsys):
    """The same in this process, which is quicker to refuse: ``start(name, "--out", folder)``.

    Instead of an experiment's name it takes the path of any script.
    """

    def no_cluster(*args, **kwargs):
        raise ValueError("coordinator_address should be defined.")

    # In a process that has used its devices JAX refuses to look for others.
    monkeypatch.setattr("jax.distributed.initialize", no_cluster)

    def inside(script: str | Path, *arguments: object) -> tuple[int, str]:
        path = script if isinstance(script, Path) else EXPERIMENTS / f"{script}.py"
        monkeypatch.setattr(sys, "argv", [path.name, *map(str, arguments)])
        capsys.readouterr()
        try:
            run_here(path)
            status = 0
        except SystemExit as end:
            status = end.code
        return status, capsys.readouterr().err

    return inside
