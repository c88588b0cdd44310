"""Training on any number of devices; :mod:`jaxpath.training.checkpoints` is imported by itself."""

from jaxpath.errors import TrainingDiverged
from jaxpath.training.logs import MetricLog
from jaxpath.training.loop import FitResult, Storage, fit
from jaxpath.training.program import Collective, Program, read_program
from jaxpath.training.state import TrainState, create_state
from jaxpath.training.step import Step, make_train_step
from jaxpath.training.stopping import EarlyStopping, Look

__all__ = [
    "Collective",
    "EarlyStopping",
    "FitResult",
    "Look",
    "MetricLog",
    "Program",
    "Step",
    "Storage",
    "TrainState",
    "TrainingDiverged",
    "create_state",
    "fit",
    "make_train_step",
    "read_program",
]
