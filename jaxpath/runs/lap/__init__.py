"""Whole runs of LAP: nets trained or plugged in, every explanation scored, results and figures."""

from jaxpath.runs.lap.canvases import make_nets, run_on_canvases
from jaxpath.runs.lap.explanations import Explained, attending_sites, explanations, site_attention
from jaxpath.runs.lap.figures import plot_explanations
from jaxpath.runs.lap.options import LapOptions, LossOptions, PlugInOptions, ScoreOptions
from jaxpath.runs.lap.plugging import PlugInRun, extend_model, extend_target, run_plug_in
from jaxpath.runs.lap.reporting import report_lap
from jaxpath.runs.lap.scoring import evaluate_lap, score_explanation
from jaxpath.runs.lap.training import LAP_WEIGHTS, plug_in, train_from_scratch, train_plain

__all__ = [
    "LAP_WEIGHTS",
    "Explained",
    "LapOptions",
    "LossOptions",
    "PlugInOptions",
    "PlugInRun",
    "ScoreOptions",
    "attending_sites",
    "evaluate_lap",
    "explanations",
    "extend_model",
    "extend_target",
    "make_nets",
    "plot_explanations",
    "plug_in",
    "report_lap",
    "run_on_canvases",
    "run_plug_in",
    "score_explanation",
    "site_attention",
    "train_from_scratch",
    "train_plain",
]
