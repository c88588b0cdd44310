"""From a command line to a run: what every command and every experiment starts with."""

import contextlib
import dataclasses
import errno
import io
import math
import re
import signal
import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import tyro

from jaxpath import option_help, terminal
from jaxpath.errors import InputError, TrainingDiverged
from jaxpath.files import expand_home, prepare_folder, try_folder

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
    **dict.fromkeys(("details", "resize", "crop"), 1),
}
"""The smallest value that makes sense, for options that are numbers and have no class that checks them."""

_FOLDERS = ("out", "checkpoints")
"""Options that are folders to write to."""

_HOME = re.compile(r"([\w.-]+:)?(~.*)", re.DOTALL)
"""A path that begins with a home folder, after a word and a colon or by itself."""

_DISK = (
    *(errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EFBIG, errno.EIO),
    *(errno.EACCES, errno.EPERM, errno.ENOTDIR, errno.EISDIR, errno.ENAMETOOLONG),
)
"""What an operating system refuses a program for reasons that no program can know."""

_INTERRUPTED = "interrupted; the same command goes on where it stopped, a training after its last checkpoint"

CONFIG = (tyro.conf.OmitArgPrefixes,)


@dataclasses.dataclass(frozen=True, kw_only=True)
class Processes:
    """How several processes find each other where no cluster tells them; start the same command on each.

    Attributes:
        coordinator: HOST:PORT of process 0.
        num_processes: Number of processes.
        process_id: Number of this process, from 0.
    """

    coordinator: str | None = None
    num_processes: int | None = None
    process_id: int | None = None


@dataclasses.dataclass(frozen=True, kw_only=True)
class Launch:
    """A command that several processes may run together."""

    processes: Processes = dataclasses.field(default_factory=Processes)


class Command(NamedTuple):
    """Something that can be started.

    Attributes:
        options: A dataclass, the command line.
        run: Does the work.
        description: What ``--help`` says.
        join: Finds the other processes of the run, before anything touches a device.
        loading: Says that the work begins, before what it needs is loaded.
    """

    options: type
    run: Callable[[Any], None]
    description: str
    join: Callable[[Any], None] = lambda options: None
    loading: Callable[[Any], None] = lambda options: None


def experiment(run: Callable[[Any], Any], options: type[Launch], description: str | None) -> Command:
    """An experiment as something to start: its processes find each other first."""

    def join(parsed: Launch) -> None:
        from jaxpath.devices import start_processes

        several = parsed.processes
        start_processes(several.coordinator, several.num_processes, several.process_id)

    return Command(options, run, description or "", join)


def main(run: Callable[[Any], Any], options: type[Launch], description: str | None) -> None:
    """Reads the command line and runs; a user's mistake is one line on stderr and exit status 2.

    Args:
        run: The experiment.
        options: Its options, a dataclass.
        description: What ``--help`` says, such as the script's docstring.
    """
    start(experiment(run, options, description))


def start(command: Command, *, prog: str | None = None, arguments: Sequence[str] | None = None) -> None:
    """Reads the command line and runs; a user's mistake is one line on stderr and exit status 2.

    Ctrl-C is one line and exit status 130. Output folders are tried and options checked before JAX is loaded,
    which takes a second; the folders are made afterwards.
    """
    with settled():
        options: Any = parse(command.options, prog=prog, arguments=arguments, description=command.description)
        options = expand_paths(options)
        if not isinstance(options, Launch):
            # Where several processes may run, which of them writes is known after they have joined.
            for folder in _folders(options):
                try_folder(folder)
        check_options(options)
        command.loading(options)
        _load()
        # Pictures that cannot be read are refused in one sentence; Pillow would warn besides.
        warnings.filterwarnings("ignore", module=r"PIL\.")
        command.join(options)
        prepare_folders(options)
        command.run(options)


def parse(
    options: Any, *, prog: str | None = None, arguments: Sequence[str] | None = None, description: str = ""
) -> Any:
    """Reads a command line, or prints what is asked for and ends the process."""
    text = io.StringIO()
    asks = bool({"-h", "--help"} & set(sys.argv[1:] if arguments is None else arguments))
    try:
        with contextlib.redirect_stdout(text) if asks else contextlib.nullcontext():
            return tyro.cli(options, prog=prog, args=arguments, description=description, config=CONFIG)
    finally:
        print(option_help.plain(text.getvalue()), end="")


def _load() -> None:
    """Loads what every command needs that runs a network."""
    from jaxpath import caches
    from jaxpath.cpu.memory import keep_freed_memory

    caches.keep_compiled_programs()
    keep_freed_memory()


@contextlib.contextmanager
def settled() -> Iterator[None]:
    """A user's mistake, the disk, Ctrl-C and other processes end the block with one line on stderr."""
    terminal.make_output()
    terminal.make_home()
    terminal.make_interruptible()
    try:
        yield
    except InputError as error:
        fail(error, 2)
    except TrainingDiverged as error:
        fail(error, 1)
    except KeyboardInterrupt:
        # A second one ends what is left to do, without a word.
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        print(_INTERRUPTED, file=sys.stderr)
        # An ordinary exit waits for threads, and the compiler's and the readers' may end with a crash.
        terminal.leave(128 + signal.SIGINT)
    except OSError as error:
        if error.errno not in _DISK:
            raise
        refused = error.filename or "to write"
        fail(f"the disk refused {refused} ({error.strerror}); make room, or take another place", 2)
    except Exception as error:
        jax = sys.modules.get("jax")
        if jax is None or not isinstance(error, jax.errors.JaxRuntimeError) or jax.process_count() == 1:
            raise
        why = (str(error).splitlines() or ["no reason given"])[0]
        fail(
            f"a collective of the {jax.process_count()} processes failed ({why[:200]}): probably another "
            "process has ended; start all of them again to continue from the last checkpoint",
            1,
        )


def expand_paths(options: Any) -> Any:
    """``options``, and those within, with home folders in place of every ``~`` that begins a path.

    A path may follow a word and a colon, as in ``npz:~/digits.npz``.

    Raises:
        InputError: Nobody knows that home.
    """
    changed = {}
    for field in dataclasses.fields(options):
        value = getattr(options, field.name)
        expanded = _expand(value)
        if expanded is not value:
            changed[field.name] = expanded
    return dataclasses.replace(options, **changed) if changed else options


def _expand(value: Any) -> Any:
    if dataclasses.is_dataclass(value):
        return expand_paths(value)
    if isinstance(value, tuple):
        parts = tuple(map(_expand, value))
        return value if all(a is b for a, b in zip(parts, value, strict=True)) else parts
    if not isinstance(value, str | Path):
        return value
    match = _HOME.match(str(value))
    if match is None:
        return value
    if terminal.homeless() and re.match(r"~(/|$)", match[2]):
        raise InputError(
            f"the path {match[2]} begins with a home folder, but this user has none; write it in full"
        )
    return type(value)(f"{match[1] or ''}{expand_home(match[2])}")


def prepare_folders(options: Any) -> None:
    """Makes the folders that ``options`` write to, on process 0, and tries whether they can be written to.

    Raises:
        InputError: One cannot be made or written to.
    """
    import jax

    if jax.process_index() == 0:
        for folder in _folders(options):
            prepare_folder(folder)


def _folders(options: Any) -> Iterator[str | Path]:
    for field in dataclasses.fields(options):
        value = getattr(options, field.name)
        if dataclasses.is_dataclass(value):
            yield from _folders(value)
        elif field.name in _FOLDERS and value is not None:
            yield value


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
    jax = sys.modules.get("jax")
    if jax is None:
        print(f"error: {error}", file=sys.stderr)
        raise SystemExit(status)
    from jaxpath.devices import end_process

    several = jax.distributed.is_initialized() and jax.process_count() > 1
    where = f" (process {jax.process_index()})" if several else ""
    print(f"error{where}: {error}", file=sys.stderr)
    end_process(status)
