"""The command ``jaxpath``: explain, dataset-report, class-pathway, compare and train."""

from jaxpath.cli.main import main

__all__ = ["main"]
