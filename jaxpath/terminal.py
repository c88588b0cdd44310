"""The process that a command runs in: what is printed never ends it, and it has a home and a user."""

import atexit
import contextlib
import functools
import getpass
import io
import itertools
import multiprocessing
import os
import shutil
import signal
import sys
import tempfile
import threading
from typing import Any, NoReturn

_HOME = "jaxpath-home-"
"""How the names of such folders begin."""


def make_output() -> None:
    r"""What a terminal cannot show is printed as ``\xe9``, and what nobody reads any more goes nowhere."""
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:
            setattr(sys, name, open(os.devnull, "w"))  # noqa: SIM115
        elif stream is getattr(sys, f"__{name}__"):
            setattr(sys, name, _unbreakable(stream))
        elif isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def make_home() -> None:
    """Gives a user without a home folder one that is removed in the end, and a user without a name one.

    Libraries would make a folder named ``~``, or fail.
    """
    if os.path.expanduser("~") == "~":
        home = tempfile.mkdtemp(prefix=_HOME)
        atexit.register(shutil.rmtree, home, ignore_errors=True)
        os.environ["HOME"] = home
    try:
        getpass.getuser()
    except (KeyError, OSError):
        os.environ["USER"] = str(os.getuid())


def load_quietly() -> None:
    """Until the command ``jaxpath`` is loaded, Ctrl-C ends it at once: nothing is lost by it."""
    as_module = ("-m", "jaxpath") in itertools.pairwise(sys.orig_argv)
    is_command = as_module or [os.path.basename(word) for word in sys.argv[:1]] == ["jaxpath"]
    alone = threading.current_thread() is threading.main_thread()
    if is_command and alone and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _end)


def _end(number: int, frame: object) -> None:
    os.write(2, b"interrupted\n")
    os._exit(128 + number)


@functools.cache
def make_interruptible() -> None:
    """Ctrl-C is not lost where Python ignores exceptions, as in JAX's callback of the garbage collector."""
    if signal.getsignal(signal.SIGINT) is _end:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    others = sys.unraisablehook

    def again(unraisable: Any) -> None:
        if isinstance(unraisable.exc_value, KeyboardInterrupt):
            # Later, in another place: here it would be ignored again. A signal ends a wait as well.
            main = threading.main_thread().ident
            threading.Timer(0.05, signal.pthread_kill, (main, signal.SIGINT)).start()
        else:
            others(unraisable)

    sys.unraisablehook = again


def leave(status: int) -> NoReturn:
    """Ends this process and those that it started, without waiting for threads that are at work."""
    for process in multiprocessing.active_children():
        process.terminate()
    if homeless():
        shutil.rmtree(os.environ["HOME"], ignore_errors=True)
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(OSError):
            stream.flush()
    os._exit(status)


def homeless() -> bool:
    """Whether :func:`make_home` made this user's home folder."""
    return os.path.basename(os.environ.get("HOME", "")).startswith(_HOME)


class _Pipe(io.FileIO):
    """A file that goes on in silence once nothing more can be written to it.

    A closed pipe, such as that of ``head``, costs the words and not the work. Anything else, such as a full
    disk, is an error once.
    """

    silent = False

    def write(self, data: Any, /) -> int:
        size = memoryview(data).nbytes
        if self.silent:
            return size
        try:
            return super().write(data) or 0
        except BrokenPipeError:
            self.silent = True
            return size
        except OSError:
            self.silent = True
            raise


def _unbreakable(stream: Any) -> Any:
    """The same stream over a :class:`_Pipe`; itself if it is no file of the operating system."""
    try:
        number = stream.fileno()
    except (OSError, AttributeError):
        return stream
    stream.flush()
    return io.TextIOWrapper(
        io.BufferedWriter(_Pipe(number, "w", closefd=False)),
        encoding=stream.encoding,
        errors="backslashreplace",
        # What is to have no buffer (PYTHONUNBUFFERED) gets one here, and is written line by line.
        line_buffering=stream.line_buffering or stream.write_through,
        write_through=stream.write_through,
    )
