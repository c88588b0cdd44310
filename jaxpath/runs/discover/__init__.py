"""Whole runs of DISCOVER: competing units beside their rectified twin, trained, named and reported."""

from jaxpath.runs.discover.planted import planted_top1
from jaxpath.runs.discover.reporting import (
    PairEvaluation,
    PairRun,
    compare_pair,
    evaluate_pair,
    report_pair,
    run_pair,
)
from jaxpath.runs.discover.stand_in import EMBEDDINGS, StandInRun, read_words, run_stand_in
from jaxpath.runs.discover.training import Pair, PairOptions, train_pair
from jaxpath.runs.discover.units import UnitEvaluation, evaluate_units

__all__ = [
    "EMBEDDINGS",
    "Pair",
    "PairEvaluation",
    "PairOptions",
    "PairRun",
    "StandInRun",
    "UnitEvaluation",
    "compare_pair",
    "evaluate_pair",
    "evaluate_units",
    "planted_top1",
    "read_words",
    "report_pair",
    "run_pair",
    "run_stand_in",
    "train_pair",
]
