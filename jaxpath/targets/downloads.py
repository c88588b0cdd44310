"""Weights that are downloaded, because somebody named them: from the Hub, or as published under a name."""

import contextlib
import shutil
import tempfile
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from jaxpath.caches import cache_folder
from jaxpath.errors import InputError, not_installed
from jaxpath.files import replacing, sha256_of
from jaxpath.naming import HUB, is_word
from jaxpath.targets import registry
from jaxpath.targets.family import Released

_PATIENCE = 30
"""Seconds without an answer after which a connection counts as lost."""


def find_released(path: str | Path) -> Released | None:
    """The published weights that a word means; None if ``path`` is a file or an address.

    >>> find_released("resnet18").address
    'hf://timm/resnet18.tv_in1k'

    Raises:
        InputError: It is the name of a network of which no published weights are known.
    """
    if not is_word(path):
        return None
    released = registry.released()
    if str(path) in registry.names() and str(path) not in released:
        raise InputError(
            f"no published weights of {path} are known; give a file, or one of {', '.join(released)}"
        )
    return released.get(str(path))


def address_of(path: str | Path) -> str:
    """The address of published weights that a word means; any other path as it is."""
    released = find_released(path)
    return str(path) if released is None else released.address


def fetch(released: Released) -> Path:
    """The file of published weights, downloaded unless it is there already, with the hash that is expected.

    Raises:
        InputError: It cannot be downloaded, or is another file than was published.
    """
    if released.address.startswith(HUB):
        file = download(*parse_hub_path(released.address))
        assert file is not None
        _check_hash(file, released)
        return file
    folder = cache_folder("weights") or Path(tempfile.mkdtemp())
    file = folder / released.address.rpartition("/")[2]
    if not file.is_file() or not sha256_of(file).startswith(released.sha256):
        with replacing(file) as partial, _connected(released.address) as answer:
            with open(partial, "wb") as copy:
                shutil.copyfileobj(answer, copy)
            _check_hash(partial, released)
    return file


@contextlib.contextmanager
def _connected(address: str) -> Iterator[Any]:
    try:
        with urllib.request.urlopen(address, timeout=_PATIENCE) as answer:
            yield answer
    # Without a network, a name cannot be resolved; with one, the server may refuse: all of it is an OSError.
    except OSError as error:
        raise _not_downloaded(address, error) from error


def _check_hash(file: Path, released: Released) -> None:
    found = sha256_of(file) if released.sha256 else ""
    if not found.startswith(released.sha256):
        raise InputError(
            f"{released.address} has the SHA-256 {found}; expected one that begins with {released.sha256}: "
            "it was cut short or is another file than was published; try again, or download it by hand"
        )


def parse_hub_path(path: str) -> tuple[str, str]:
    """Splits a path on the Hub into repository and file.

    >>> parse_hub_path("hf://timm/resnet50.tv_in1k")
    ('timm/resnet50.tv_in1k', 'model.safetensors')
    """
    owner, _, rest = path.removeprefix(HUB).partition("/")
    name, _, file = rest.partition("/")
    if not owner or not name:
        raise InputError(f"{path!r} names no repository; expected hf://owner/name or hf://owner/name/file")
    return f"{owner}/{name}", file or "model.safetensors"


def download(repository: str, file: str, *, optional: bool = False) -> Path | None:
    """Downloads a file of a repository on the Hub, unless it is there already.

    Args:
        repository: ``owner/name``.
        file: Its path there.
        optional: Whether the repository may lack it; then None is returned.

    Raises:
        InputError: ``huggingface_hub`` is not installed, or the download failed.
    """
    get, missing, errors = _hub(repository)
    try:
        return Path(get(repository, file))
    except errors as error:
        # Without a connection, the Hub's library cannot tell either: that error is one of files, too.
        if optional and isinstance(error, missing) and not isinstance(error, FileNotFoundError):
            return None
        raise _not_downloaded(f"{HUB}{repository}/{file}", error) from error


def _hub(repository: str) -> tuple[Callable[[str, str], str], type[Exception], tuple[type[Exception], ...]]:
    """The Hub's library: its download, the error of a missing file, and whatever a download may raise."""
    try:
        from huggingface_hub import hf_hub_download
        from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError
    except ImportError as error:
        use = f"downloading {HUB}{repository}"
        raise not_installed(use, "huggingface_hub", "huggingface_hub") from error
    # OSError covers a broken connection and a full disk, ValueError a malformed repository name.
    return hf_hub_download, EntryNotFoundError, (HfHubHTTPError, EntryNotFoundError, OSError, ValueError)


def _not_downloaded(address: str, error: Exception) -> InputError:
    why = next(iter(str(error).strip().splitlines()), type(error).__name__)
    return InputError(
        f"{address} could not be downloaded: {why}; without a network, give a file from elsewhere"
    )
