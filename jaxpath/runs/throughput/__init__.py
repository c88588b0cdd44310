"""How fast a training step of the generator is, beside its floor, explainers and PyTorch."""

from jaxpath.runs.throughput.measuring import measure_throughput, time_pipeline
from jaxpath.runs.throughput.options import Throughput
from jaxpath.runs.throughput.pytorch import TORCH_STEP, TorchProcess, start_torch
from jaxpath.runs.throughput.turns import summarise, take_turns
from jaxpath.runs.throughput.workload import (
    Workload,
    make_workload,
    prepare_explainer,
    prepare_floor,
    prepare_step,
)

__all__ = [
    "TORCH_STEP",
    "Throughput",
    "TorchProcess",
    "Workload",
    "make_workload",
    "measure_throughput",
    "prepare_explainer",
    "prepare_floor",
    "prepare_step",
    "start_torch",
    "summarise",
    "take_turns",
    "time_pipeline",
]
