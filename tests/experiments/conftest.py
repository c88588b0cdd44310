"""The experiments are scripts: their folder is put on the path, as Python does for a script."""

import sys
from pathlib import Path

import pytest

EXPERIMENTS = Path(__file__).resolve().parents[2] / "experiments"
sys.path.insert(0, str(EXPERIMENTS))


@pytest.fixture
def start(monkeypatch, capsys):
    """Runs an experiment as from a terminal: ``start(module, "--out", folder) -> (status, stderr)``."""
    import common

    def run(module, *arguments):
        monkeypatch.setattr(sys, "argv", [f"{module.__name__}.py", *map(str, arguments)])
        capsys.readouterr()
        try:
            common.main(module.run, module.Options, module.__doc__)
            status = 0
        except SystemExit as end:
            status = end.code
        return status, capsys.readouterr().err

    return run
