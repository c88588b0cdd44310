"""What a result was made with, so that it can be made again."""

import json
import platform
import shlex
import sys
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import jax
import numpy as np

from jaxpath import __version__
from jaxpath.files import write_text
from jaxpath.naming import without_folders

_PACKAGES = ("jax", "jaxlib", "flax", "optax", "orbax-checkpoint", "grain")


def environment() -> dict[str, Any]:
    """``versions`` by package and of Python, and the ``device``."""
    own = {"jaxpath": __version__, "python": platform.python_version()}
    return {
        "versions": own | {name: version(name) for name in _PACKAGES},
        "device": f"{jax.device_count()} x {jax.devices()[0].device_kind}",
    }


def command_line(*, folders: bool = True) -> str:
    """The command as it was typed, quoted for a shell; for pages, without the folders of this machine."""
    words = sys.argv[1:] if folders else [without_folders(word) for word in sys.argv[1:]]
    return shlex.join(["jaxpath", *words])


def write_manifest(out: Path, **facts: Any) -> None:
    """Writes ``manifest.json``: the command, versions, device and ``facts`` such as hashes and the seed."""
    manifest: Mapping[str, Any] = {"command": command_line(), **facts, **environment()}
    write_text(out / "manifest.json", as_json(manifest))


def report_details(
    weights: str, weights_hash: str, seed: int, *, preprocessing: str
) -> list[tuple[str, str]]:
    """What the foot of a page says about how it was made."""
    made_with = environment()
    packages = ", ".join(f"{name} {made_with['versions'][name]}" for name in ("jaxpath", "jax", "python"))
    return [
        ("weights", f"{Path(weights).name} (SHA-256 {weights_hash[:16]}...)"),
        ("preprocessing", preprocessing),
        ("seed", str(seed)),
        ("versions", packages),
        ("device", made_with["device"]),
        ("command", command_line(folders=False)),
    ]


def as_json(values: Any) -> str:
    """JSON for people and programs; a figure that does not exist, NaN or infinite, is null."""
    return json.dumps(_without_nan(values), indent=2, default=str) + "\n"


def _without_nan(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _without_nan(item) for name, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    if isinstance(value, float | np.floating) and not np.isfinite(value):
        return None
    return value
