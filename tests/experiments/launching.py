"""Starts scripts by their paths: in a process of their own, or in this one."""

import importlib.util
import os
import runpy
import subprocess
import sys
from pathlib import Path
from types import ModuleType

ROOT = Path(__file__).resolve().parents[2]
EXPERIMENTS = ROOT / "experiments"


def launch(name: str, *arguments: object, num_devices: int = 2, **options) -> subprocess.Popen:
    """Starts ``experiments/name.py`` as from a terminal, on virtual devices."""
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "JAX_NUM_CPU_DEVICES": str(num_devices),
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
    }
    command = [sys.executable, str(EXPERIMENTS / f"{name}.py"), *map(str, arguments)]
    return subprocess.Popen(command, env=environment, text=True, **options)


def run_here(path: Path) -> None:
    """Runs a script in this process with the command line of ``sys.argv``."""
    runpy.run_path(str(path), run_name="__main__")


def load(path: Path) -> ModuleType:
    """A script as a module, of which nothing is started."""
    spec = importlib.util.spec_from_file_location(f"script_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module
