"""The experiments are scripts beside the package, not in it: where they are, and how to start them."""

import importlib
import sys
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path
from types import ModuleType

import jaxpath
from jaxpath.cli.launching import Command
from jaxpath.types import InputError

_BESIDE = Path(jaxpath.__file__).resolve().parents[1] / "experiments"
"""Where they are in a checkout."""


def load_experiment(name: str) -> ModuleType:
    """Imports ``experiments/name.py`` as its own command line would run it.

    Raises:
        InputError: The experiments were not installed.
    """
    folder = str(_folder())
    if folder not in sys.path:
        # The scripts import each other by plain names, as they do when started by themselves.
        sys.path.insert(0, folder)
    return importlib.import_module(name)


def experiment_command(name: str) -> Command:
    """``experiments/name.py`` as a command."""
    module = load_experiment(name)
    return load_experiment("common").command(module.run, module.Options, module.__doc__)


def _folder() -> Path:
    if (_BESIDE / "common.py").is_file():
        return _BESIDE
    try:
        installed = files("jaxpath") or []
    except PackageNotFoundError:
        installed = []
    for path in installed:
        if path.match("share/jaxpath/experiments/common.py"):
            return Path(str(path.locate())).resolve().parent
    raise InputError(
        f"the experiments were not installed with jaxpath and are not in {_BESIDE}; install it again, or run "
        "it from a checkout"
    )
