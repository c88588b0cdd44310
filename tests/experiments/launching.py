"""Starts an experiment in a process of its own."""

import os
import subprocess
import sys
from pathlib import Path

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"


def launch(name: str, *arguments: object, num_devices: int = 2, **options) -> subprocess.Popen:
    """Starts ``experiments/name.py`` as from a terminal, on virtual devices."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(EXPERIMENTS.parent),
        "JAX_NUM_CPU_DEVICES": str(num_devices),
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
    }
    command = [sys.executable, str(EXPERIMENTS / f"{name}.py"), *map(str, arguments)]
    return subprocess.Popen(command, env=environment, text=True, **options)
