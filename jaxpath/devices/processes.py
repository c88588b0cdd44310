"""Runs of several processes, one per host: how they find each other, and how they end together."""

import os
import sys

import jax

from jaxpath.types import InputError

_SECONDS_TO_NOTICE = 60
"""A process that gives no sign of life for so long is taken for dead, and the others end."""


def start_processes(
    coordinator: str | None = None, num_processes: int | None = None, process_id: int | None = None
) -> None:
    """Joins this process to the others of its run; does nothing if there are no others.

    TPU pods, SLURM, Open MPI and Kubernetes tell each process who the others are; elsewhere all three
    arguments are needed. To be called before anything touches a device.

    Args:
        coordinator: HOST:PORT of process 0, which all processes can reach.
        num_processes: Number of processes.
        process_id: Number of this process, from 0.

    Raises:
        InputError: Some arguments are missing, or they do not fit together.
    """
    arguments = {"--coordinator": coordinator, "--num-processes": num_processes, "--process-id": process_id}
    missing = [name for name, value in arguments.items() if value is None]
    if 0 < len(missing) < len(arguments):
        raise InputError(
            f"{' and '.join(missing)} must be given as well: without a cluster that tells, every process "
            "needs --coordinator HOST:PORT, --num-processes and --process-id"
        )
    if coordinator is not None and not coordinator.rpartition(":")[2].isdigit():
        raise InputError(f"--coordinator is {coordinator!r}; expected HOST:PORT, such as 10.0.0.1:9876")
    if num_processes is not None and process_id is not None and not 0 <= process_id < num_processes:
        raise InputError(
            f"--process-id is {process_id} of {num_processes} processes; they are numbered from 0 to "
            f"{num_processes - 1}"
        )
    try:
        jax.distributed.initialize(
            coordinator,
            num_processes,
            process_id,
            heartbeat_timeout_seconds=_SECONDS_TO_NOTICE,
            shutdown_timeout_seconds=_SECONDS_TO_NOTICE,
        )
    except ValueError:
        # No cluster that JAX knows: one process on its own.
        if coordinator is not None:
            raise
    except RuntimeError as error:
        if "before any JAX" not in str(error):
            raise
        raise InputError(
            "JAX has used its devices before the processes could find each other; start the experiment, or "
            "call start_processes, before anything else uses JAX"
        ) from error


def end_process(status: int) -> None:
    """Ends this process after an error; the others notice and end as well.

    An ordinary exit would wait for the others, which may themselves wait for this one in a collective.
    """
    if jax.distributed.is_initialized() and jax.process_count() > 1:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
    raise SystemExit(status)
