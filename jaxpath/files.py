"""Files on a disk: read as the text that they are, written whole or not at all, named by their contents."""

import contextlib
import errno
import hashlib
import json
import os
import re
import secrets
import tempfile
import zipfile
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np

from jaxpath.errors import InputError

_TRIED = 2**16
"""Bytes of the file by which a folder is tried."""

_REFUSED = re.compile(r"([^:]+) (?:\(os error \d+\)|\[os_error_code='\d+')")
"""How libraries say what the operating system refused: safetensors, TensorStore."""


def sha256_of(path: str | os.PathLike) -> str:
    """Returns the SHA-256 of a file's contents in hexadecimal.

    Raises:
        OSError: The file cannot be read.
    """
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_of_folder(path: str | os.PathLike) -> str:
    """Returns the SHA-256 of the names and contents of all files in a folder and in its folders.

    Raises:
        OSError: A file cannot be read.
    """
    root = Path(path)
    files = sorted(file for file in root.rglob("*") if file.is_file())
    lines = [f"{file.relative_to(root).as_posix()} {sha256_of(file)}" for file in files]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def read_text(path: str | os.PathLike, expected: str) -> str:
    """Reads a text file: UTF-8, with or without a byte order mark; line ends become newlines.

    Args:
        path: The file.
        expected: What it should hold, for the error.

    Raises:
        InputError: There is no such file, it cannot be read, or it is not UTF-8.
    """
    try:
        # Paths in an object store have this method, too.
        source: Any = path if hasattr(path, "read_text") else Path(path)
        return source.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise InputError(
            f"{os.fspath(path)} cannot be read: it is not UTF-8 ({error.reason} at byte {error.start}); "
            f"expected {expected}: save it as UTF-8"
        ) from error
    except (OSError, ValueError) as error:
        raise _unreadable(path, error, expected) from error


def read_json(path: str | os.PathLike, expected: str) -> Any:
    """Reads a JSON file, as :func:`read_text` does.

    Raises:
        InputError: As there; or it is no JSON.
    """
    text = read_text(path, expected)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise InputError(
            f"{os.fspath(path)} cannot be read: it is no JSON ({error}); expected {expected}"
        ) from error


def array_names(path: str | os.PathLike, expected: str) -> tuple[str, ...]:
    """The names of the arrays in an ``.npz`` file.

    Args:
        path: The file.
        expected: What it should hold, for the error.

    Raises:
        InputError: There is no such file, or it is damaged or no ``.npz`` file.
    """
    # A damaged archive makes NumPy and zipfile raise nearly everything.
    try:
        with _open_arrays(path) as arrays:
            return tuple(arrays.files)
    except Exception as error:
        raise _unreadable(path, error, expected) from error


def read_arrays(
    path: str | os.PathLike, expected: str, names: Collection[str] | None = None
) -> dict[str, np.ndarray]:
    """Reads arrays of an ``.npz`` file.

    Args:
        path: The file.
        expected: What it should hold, for the error.
        names: Those to read; None reads all.

    Raises:
        InputError: There is no such file, or it is damaged, no ``.npz`` file, or one without these arrays.
    """
    try:
        return load_arrays(path, names)
    except Exception as error:
        raise _unreadable(path, error, expected) from error


def load_arrays(path: str | os.PathLike, names: Collection[str] | None = None) -> dict[str, np.ndarray]:
    """:func:`read_arrays` for files of our own: any exception may tell that one is damaged."""
    with _open_arrays(path) as arrays:
        return {name: arrays[name] for name in (arrays.files if names is None else names)}


@contextlib.contextmanager
def _open_arrays(path: str | os.PathLike) -> Iterator[np.lib.npyio.NpzFile]:
    # NumPy leaves a file open that it opened and could not read.
    with open(path, "rb") as file:
        # What NumPy does not know it takes for a pickled object, and says how to load that.
        if not zipfile.is_zipfile(file):
            raise ValueError("it is no .npz file, or cut short")
        file.seek(0)
        with np.load(file, allow_pickle=False) as arrays:
            yield arrays


def _unreadable(path: str | os.PathLike, error: Exception, expected: str) -> InputError:
    if isinstance(error, FileNotFoundError):
        return InputError(f"there is no file {os.fspath(path)}; expected {expected}")
    return InputError(f"{os.fspath(path)} cannot be read ({reason(error)}); expected {expected}")


@contextlib.contextmanager
def writing(path: str | os.PathLike) -> Iterator[None]:
    """Says in one sentence what the disk refuses while the block writes ``path``.

    Raises:
        InputError: The disk is full, the folder is read-only, and the like.
    """
    try:
        yield
    except Exception as error:
        if not refused(error):
            raise
        raise InputError(
            f"cannot write {os.fspath(path)} ({reason(error)}); make room, or name another folder"
        ) from error


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Gives a temporary path to write to, which becomes ``path`` when the block ends.

    Whoever reads ``path`` gets the file before or all of the new one, even if the program is killed.
    If the block raises, the file before stays and the temporary one is removed.

    >>> folder = Path(tempfile.mkdtemp())
    >>> with replacing(folder / "new" / "words.txt") as partial:
    ...     _ = partial.write_text("all of it")
    >>> (folder / "new" / "words.txt").read_text()
    'all of it'

    Args:
        path: The file; its folder is made if needed. A path in an object store, from ``etils.epath``, does as
            well.

    Yields:
        A path beside it with the same suffix, by which some writers choose the format.

    Raises:
        InputError: The folder or the file cannot be written.
    """
    if isinstance(path, str):
        path = Path(path)
    # Hidden, and another one in each process on each machine: several may write the same file at once.
    partial = path.with_name(f".partial-{secrets.token_hex(4)}-{path.name}")
    try:
        with writing(path):
            path.parent.mkdir(parents=True, exist_ok=True)
            mode = _usual_mode(partial) if isinstance(path, Path) else None
            yield partial
            # Some writers make files that nobody else may read, whatever the umask says.
            if mode is not None:
                partial.chmod(mode)
            partial.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise


def write_text(path: str | Path, text: str) -> None:
    r"""Writes ``text`` in UTF-8, in one move; what is not Unicode, as in some file names, as ``\udcff``.

    Raises:
        InputError: The file cannot be written.
    """
    with replacing(path) as partial:
        partial.write_bytes(text.encode("utf-8", "backslashreplace"))


def write_arrays(path: str | Path, arrays: Mapping[str, Any]) -> None:
    """Writes a compressed ``.npz`` file in one move.

    Raises:
        InputError: The file cannot be written.
    """
    # By an open file: NumPy would add another suffix to names that do not end in .npz.
    with replacing(path) as partial, open(partial, "wb") as file:
        np.savez_compressed(file, **arrays)  # type: ignore[arg-type]


def try_folder(folder: str | os.PathLike) -> None:
    """Tries whether a folder can be made and written to, and leaves nothing behind.

    Args:
        folder: A folder, there or not; addresses of object stores (``gs://...``) are passed over.

    Raises:
        InputError: It cannot be made, it cannot be written to, or its disk is full.
    """
    path = os.fspath(folder)
    if "://" in path:
        return
    if os.path.isdir(path):
        return prepare_folder(folder)
    above = os.path.abspath(path)
    while not os.path.exists(above):
        above = os.path.dirname(above)
    try:
        with tempfile.TemporaryDirectory(dir=above):
            pass
    except (OSError, ValueError) as error:
        raise InputError(f"the folder {path} cannot be made ({reason(error)}); name another") from error


def prepare_folder(folder: str | os.PathLike) -> None:
    """Makes a folder and tries whether files can be written into it: before the work, not after it.

    Args:
        folder: A folder; addresses of object stores (``gs://...``) are passed over.

    Raises:
        InputError: It cannot be made, it cannot be written to, or its disk is full.
    """
    if "://" in os.fspath(folder):
        return
    try:
        os.makedirs(folder, exist_ok=True)
    except (OSError, ValueError) as error:
        raise InputError(
            f"the folder {os.fspath(folder)} cannot be made ({reason(error)}); name another"
        ) from error
    try:
        with tempfile.TemporaryFile(dir=os.fspath(folder)) as file:
            file.write(bytes(_TRIED))
            file.flush()
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise InputError(
            f"the folder {os.fspath(folder)} cannot be written to ({reason(error)}); "
            f"{'make room, or ' if full else ''}name another"
        ) from error


def expand_home(path: str) -> str:
    """A path with the home folder in place of a ``~`` at its start.

    Raises:
        InputError: Nobody knows that home.
    """
    expanded = os.path.expanduser(path)
    if expanded.startswith("~") and not os.path.lexists(path):
        raise InputError(
            f"the path {path} begins with a home folder that is not known here; write the path in full"
        )
    return expanded


def refused(error: BaseException) -> bool:
    """Whether the operating system refused something, in whatever exception a library says so."""
    return isinstance(error, OSError) or _REFUSED.search(str(error)) is not None


def reason(error: BaseException) -> str:
    """Why something failed, on one line: the operating system's words if they are there, else the error's."""
    match = _REFUSED.search(str(error))
    told = getattr(error, "strerror", None) or (match[1] if match else str(error))
    return (str(told).strip().splitlines() or [type(error).__name__])[0][:200]


def _usual_mode(path: Path) -> int:
    """The permissions that a new file gets there, by the umask and the folder's own rules."""
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY, 0o666)
    try:
        return os.fstat(descriptor).st_mode & 0o777
    finally:
        os.close(descriptor)
        path.unlink()
