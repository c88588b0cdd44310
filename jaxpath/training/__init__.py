"""Training on any number of devices; :mod:`jaxpath.training.checkpoints` is imported by itself."""

from jaxpath.training.evaluate import collect
from jaxpath.training.logs import MetricLog
from jaxpath.training.loop import FitResult, TrainingDiverged, fit
from jaxpath.training.processes import end_process, start_processes
from jaxpath.training.program import Collective, Program, read_program
from jaxpath.training.sharding import AXIS, check_batch_size, make_mesh, replicate, shard_batch
from jaxpath.training.state import TrainState, create_state
from jaxpath.training.step import Step, make_eval_step, make_train_step

__all__ = [
    "AXIS",
    "Collective",
    "FitResult",
    "MetricLog",
    "Program",
    "Step",
    "TrainState",
    "TrainingDiverged",
    "check_batch_size",
    "collect",
    "create_state",
    "end_process",
    "fit",
    "make_eval_step",
    "make_mesh",
    "make_train_step",
    "read_program",
    "replicate",
    "shard_batch",
    "start_processes",
]
