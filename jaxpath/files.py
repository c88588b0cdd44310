"""Files on a disk: what names their contents, and how they are written whole or not at all."""

import contextlib
import hashlib
import os
from collections.abc import Iterator
from pathlib import Path


def sha256_of(path: str | os.PathLike) -> str:
    """Returns the SHA-256 of a file's contents in hexadecimal.

    Raises:
        OSError: The file cannot be read.
    """
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


@contextlib.contextmanager
def replacing(path: str | Path) -> Iterator[Path]:
    """Gives a temporary path to write to, which becomes ``path`` when the block ends.

    Whoever reads ``path`` gets the file before or all of the new one, even if the program is killed.
    If the block raises, the file before stays and the temporary one is removed.

    >>> import tempfile
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
        OSError: The folder or the file cannot be written.
    """
    if isinstance(path, str):
        path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    # Hidden, and another one in each process: several may write the same file at once.
    partial = path.with_name(f".partial-{os.getpid()}-{path.name}")
    mode = _usual_mode(partial) if isinstance(path, Path) else None
    try:
        yield partial
        # Some writers make files that nobody else may read, whatever the umask says.
        if mode is not None:
            partial.chmod(mode)
        partial.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            partial.unlink(missing_ok=True)
        raise


def _usual_mode(path: Path) -> int:
    """The permissions that a new file gets there, by the umask and the folder's own rules."""
    descriptor = os.open(path, os.O_CREAT | os.O_WRONLY, 0o666)
    try:
        return os.fstat(descriptor).st_mode & 0o777
    finally:
        os.close(descriptor)
        path.unlink()
