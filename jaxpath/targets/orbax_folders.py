"""Folders that Orbax wrote: which of them holds the arrays, and what is in it."""

import re
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxpath.types import InputError

_MARK = "_METADATA"
"""In every folder that holds a pytree."""


def holds_pytree(path: Path) -> bool:
    """Whether a folder is one of Orbax's, or of its steps."""
    return path.is_dir() and bool(_find(path))


def read_pytree(path: Path) -> Any:
    """The pytree in a folder of Orbax, as dictionaries and lists of NumPy arrays.

    Args:
        path: Of a ``StandardCheckpointer`` or ``PyTreeCheckpointer``; of a ``CheckpointManager``, whose
            newest step is taken; or of one step, or one item of it.

    Raises:
        InputError: No pytree lies there, or several items do, or it cannot be read.
    """
    found = _find(path)
    if not found:
        raise InputError(
            f"the folder {str(path)!r} holds no checkpoint of Orbax; give the folder of one, of its steps, "
            "or of one step"
        )
    if len(found) > 1:
        raise InputError(
            f"the folder {str(path)!r} holds {len(found)} pytrees; give one of them: "
            f"{', '.join(str(folder) for folder in found[:8])}"
        )
    # Slow to load, and needed by nobody who has other files.
    from orbax.checkpoint import PyTreeCheckpointer, RestoreArgs

    try:
        reader = PyTreeCheckpointer()
        tree = reader.metadata(found[0].absolute()).item_metadata.tree
        # As NumPy arrays: the devices that wrote them may be others.
        kinds = jax.tree.map(lambda _: RestoreArgs(restore_type=np.ndarray), tree)
        return reader.restore(found[0].absolute(), restore_args=kinds)
    except Exception as error:
        said = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise InputError(f"{found[0]} is no readable checkpoint of Orbax ({said}); copy it again") from error


def _find(path: Path) -> list[Path]:
    """The folders with a pytree: this one, those in it, or those of its newest step."""
    if (path / _MARK).is_file():
        return [path]
    inside = sorted(folder for folder in path.iterdir() if folder.is_dir())
    items = [folder for folder in inside if (folder / _MARK).is_file()]
    # Flax names its steps checkpoint_5; what Orbax has not finished has another ending.
    steps = {
        int(match[1]): folder for folder in inside if (match := re.search(r"(?:^|_)(\d+)$", folder.name))
    }
    if steps:
        return _find(steps[max(steps)])
    return items
