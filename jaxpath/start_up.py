"""From a command line to a run: what every command and every experiment starts with."""

import dataclasses
import math
import os
import sys
import warnings
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import tyro

from jaxpath import data, training
from jaxpath.cpu.memory import keep_freed_memory
from jaxpath.devices import end_process, start_processes
from jaxpath.types import InputError

_SMALLEST = {
    **dict.fromkeys(("steps", "train_steps", "batch_size", "train_batch_size", "checkpoint_every"), 1),
    **dict.fromkeys(("width", "grid", "images", "search_images", "image_size", "num_classes", "memory"), 1),
    **dict.fromkeys(("seed", "num_workers", "class_pathway_images", "refine_steps"), 0),
    **dict.fromkeys(("attributes", "relevance_images"), 1) | {"maximised_pairs": 0},
    **dict.fromkeys(("reconstruction_weight", "output_weight", "entropy_weight", "diversity"), 0.0),
    "maximised_variation": 0.0,
    **{"competition_weight": 0.0, "competitors": 2, "top_k": 1},
    "sparsity_weight": 0.0,
    **dict.fromkeys(("learning_rate", "train_learning_rate", "weight_decay", "train_weight_decay"), 0.0),
    **dict.fromkeys(("epochs", "label_smoothing"), 0.0),
    "details": 1,
}
"""The smallest value that makes sense, for options that are numbers and have no class that checks them."""

CONFIG = (tyro.conf.OmitArgPrefixes,)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Launch:
    """How several processes find each other where no cluster tells them; start the same command on each.

    Attributes:
        coordinator: HOST:PORT of process 0.
        num_processes: Number of processes.
        process_id: Number of this process, from 0.
    """

    coordinator: str | None = None
    num_processes: int | None = None
    process_id: int | None = None


class Command(NamedTuple):
    """Something that can be started.

    Attributes:
        options: A dataclass, the command line.
        run: Does the work.
        description: What ``--help`` says.
    """

    options: type
    run: Callable[[Any], None]
    description: str


def experiment(run: Callable[[Any], Any], options: type[Launch], description: str | None) -> Command:
    """An experiment as something to start: its processes find each other first."""

    def start(parsed: Launch) -> None:
        start_processes(parsed.coordinator, parsed.num_processes, parsed.process_id)
        run(parsed)

    return Command(options, start, description or "")


def main(run: Callable[[Any], Any], options: type[Launch], description: str | None) -> None:
    """Reads the command line and runs; a user's mistake is one line on stderr and exit status 2.

    Args:
        run: The experiment.
        options: Its options, a dataclass.
        description: What ``--help`` says, such as the script's docstring.
    """
    start(experiment(run, options, description))


def start(command: Command, *, prog: str | None = None, arguments: Sequence[str] | None = None) -> None:
    """Reads the command line and runs; a user's mistake is one line on stderr and exit status 2."""
    options: Any = tyro.cli(
        command.options, prog=prog, args=arguments, description=command.description, config=CONFIG
    )
    keep_compiled_programs()
    keep_freed_memory()
    # Pictures that cannot be read are refused in one sentence; Pillow would warn besides.
    warnings.filterwarnings("ignore", module=r"PIL\.")
    try:
        check_options(options)
        command.run(options)
    except InputError as error:
        fail(error, 2)
    except training.TrainingDiverged as error:
        fail(error, 1)
    except jax.errors.JaxRuntimeError as error:
        if jax.process_count() == 1:
            raise
        reason = (str(error).splitlines() or ["no reason given"])[0]
        fail(
            f"a collective of the {jax.process_count()} processes failed ({reason[:200]}): probably another "
            "process has ended; start all of them again to continue from the last checkpoint",
            1,
        )


def keep_compiled_programs() -> None:
    """Lets a second start reuse compiled programs; ``JAX_COMPILATION_CACHE_DIR`` names another folder."""
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        jax.config.update("jax_compilation_cache_dir", str(data.cache_folder("compiled")))


def check_options(options: Any) -> None:
    """Raises an error for the first number, here or in the options within, that makes no sense.

    Options with rules of their own have a method ``check``.
    """
    if hasattr(options, "check"):
        options.check()
    for field in dataclasses.fields(options):
        value = getattr(options, field.name)
        if dataclasses.is_dataclass(value):
            check_options(value)
        elif isinstance(value, int | float) and value < _SMALLEST.get(field.name, -math.inf):
            option = field.name.replace("_", "-")
            raise InputError(f"--{option} is {value}; expected {_SMALLEST[field.name]} or more")


def fail(error: object, status: int) -> None:
    """Says on one line what is wrong, and ends this process."""
    where = f" (process {jax.process_index()})" if jax.process_count() > 1 else ""
    print(f"error{where}: {error}", file=sys.stderr)
    end_process(status)
