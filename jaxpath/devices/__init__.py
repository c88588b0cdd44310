"""Devices and processes: the mesh, what lies on it, and results collected from it."""

from jaxpath.devices.collecting import collect, make_eval_step
from jaxpath.devices.mesh import (
    AXIS,
    POSITION,
    check_batch_size,
    make_mesh,
    replicate,
    serial_dispatch,
    shard_batch,
)
from jaxpath.devices.processes import end_process, start_processes

__all__ = [
    "AXIS",
    "POSITION",
    "check_batch_size",
    "collect",
    "end_process",
    "make_eval_step",
    "make_mesh",
    "replicate",
    "serial_dispatch",
    "shard_batch",
    "start_processes",
]
