"""The process that a command runs in: what is printed never ends it, and it has a home and a user."""

import atexit
import getpass
import io
import os
import shutil
import sys
import tempfile
from typing import Any


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
        home = tempfile.mkdtemp(prefix="jaxpath-home-")
        atexit.register(shutil.rmtree, home, ignore_errors=True)
        os.environ["HOME"] = home
    try:
        getpass.getuser()
    except (KeyError, OSError):
        os.environ["USER"] = str(os.getuid())


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
        line_buffering=stream.line_buffering,
        write_through=stream.write_through,
    )
