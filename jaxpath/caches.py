"""What is kept between starts: found by a key, and made anew if it cannot be read."""

import contextlib
import glob
import os
import re
import shutil
import sys
import warnings
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import jax
import numpy as np

from jaxpath.files import prepare_folder, reason, replacing
from jaxpath.types import InputError

T = TypeVar("T")

_OF_PROGRAMS = re.compile(
    r"Error (reading|writing) persistent compilation cache entry for '([^']*)': (.*)", re.DOTALL
)
"""What JAX warns of: it would warn of a damaged program at each start, and never replace it."""


def cache_folder(kind: str) -> Path | None:
    """Where this user's kept results of one kind lie; ``XDG_CACHE_HOME`` moves it.

    None for a user who has no home folder: then nothing is kept.
    """
    base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser(os.path.join("~", ".cache"))
    return None if base.startswith("~") else Path(base) / "jaxpath" / kind


def cache_file(
    kind: str, key: str, *, version: int, suffix: str = ".npz", folder: Path | None = None
) -> Path | None:
    """The file that keeps one result, for :func:`kept`; None if nothing is kept.

    Args:
        kind: Of the result, such as ``"surveys"``.
        key: A hash of everything that the result depends on.
        version: Of the format, raised by everybody who changes it: files of another version are not found.
        suffix: Of the file.
        folder: Where such files lie; None takes :func:`cache_folder`.
    """
    folder = folder or cache_folder(kind)
    return None if folder is None else folder / f"{key[:32]}-v{version}{suffix}"


def unfinished(out: Path) -> Path:
    """Where a command keeps what it has measured until it is done, for :func:`cache_file`."""
    return out / "unfinished"


def forget_unfinished(out: Path) -> None:
    """Removes what was kept for a command that is done."""
    shutil.rmtree(unfinished(out), ignore_errors=True)


def kept(
    path: Path | None,
    make: Callable[[], T],
    *,
    read: Callable[[Path], T],
    write: Callable[[Path, T], None],
    worth: Callable[[T], bool] = lambda _: True,
) -> T:
    """What ``path`` keeps; if it keeps nothing that can be read, what ``make`` returns, kept from then on.

    A file that is cut short or holds something else is said on stderr and replaced. A folder that cannot be
    written to costs time at the next start, nothing else. Several processes may do this at once.

    Args:
        path: From :func:`cache_file`.
        make: Makes the result.
        read: Reads a file, and raises any exception if that holds something else than ``write`` wrote.
        write: Writes a file.
        worth: Whether a result is worth a file.
    """
    if path is not None and os.path.exists(path):
        try:
            return read(path)
        except Exception as error:  # A cache never stops a start, whatever it holds.
            said = reason(error).rstrip(".")
            print(f"the cache file {path} cannot be read ({said}); it is made anew", file=sys.stderr)
    made = make()
    if path is None or not worth(made):
        return made
    try:
        with replacing(path) as partial:
            write(partial, made)
        return read(path)
    except (InputError, OSError):
        return made


def map_arrays(path: Path) -> dict[str, np.ndarray]:
    """The arrays of a file of ``numpy.savez``, mapped into memory after their checksums were checked.

    Raises:
        ValueError, OSError, zipfile.BadZipFile: The file is damaged or compressed.
    """
    arrays = {}
    with zipfile.ZipFile(path) as archive, open(path, "rb") as file:
        if (damaged := archive.testzip()) is not None:
            raise ValueError(f"the checksum of {damaged} is wrong")
        for member in archive.infolist():
            if member.compress_type != zipfile.ZIP_STORED:
                raise ValueError(f"{member.filename} is compressed")
            # A local header: 26 bytes, the lengths of name and extra field, these two, the array.
            file.seek(member.header_offset + 26)
            lengths = np.frombuffer(file.read(4), "<u2")
            file.seek(int(lengths.sum()), os.SEEK_CUR)
            if np.lib.format.read_magic(file) != (1, 0):
                raise ValueError(f"{member.filename} is of another version of NumPy's format")
            shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
            if fortran or dtype.hasobject:
                raise ValueError(f"{member.filename} holds {dtype} in another order than C's")
            name = member.filename.removesuffix(".npy")
            # An empty file part cannot be mapped.
            empty = np.zeros(shape, dtype)
            arrays[name] = empty if not empty.size else np.memmap(file, dtype, "r", file.tell(), shape)
    return arrays


def keep_compiled_programs() -> None:
    """Lets a second start reuse compiled programs; ``JAX_COMPILATION_CACHE_DIR`` names another folder.

    A program that cannot be read is compiled anew, with a word. Where none can be written, none is kept.
    """
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        folder = cache_folder("compiled")
        try:
            if folder is not None:
                prepare_folder(folder)
        except InputError:
            folder = None
        jax.config.update("jax_compilation_cache_dir", None if folder is None else str(folder))
    if warnings.showwarning is not _show:
        _others.append(warnings.showwarning)
        warnings.showwarning = _show


_others: list[Callable[..., None]] = []
_said: set[str] = set()


def _show(message: Warning | str, *args: Any, **kwargs: Any) -> None:
    """Shows a warning, those about kept programs on one line."""
    match = _OF_PROGRAMS.match(str(message))
    if match is None:
        _others[-1](message, *args, **kwargs)
        return
    verb, program, why = match.groups()
    if verb == "reading":
        _forget(program)
    if verb not in _said:
        _said.add(verb)
        then = "is compiled anew" if verb == "reading" else "is not kept for the next start"
        said = reason(Exception(why))
        print(f"{verb} the compiled program {program} failed ({said}); it {then}", file=sys.stderr)


def _forget(program: str) -> None:
    """Removes what is kept of a program, so that JAX keeps it anew."""
    folder = jax.config.jax_compilation_cache_dir  # type: ignore[attr-defined]
    if folder and "://" not in folder:
        for path in Path(folder).glob(f"{glob.escape(program)}-*-cache"):
            with contextlib.suppress(OSError):
                path.unlink()
