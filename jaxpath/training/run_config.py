"""Which run a folder belongs to: its configuration, compared before anything is overwritten."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from jaxpath.files import read_json, replacing
from jaxpath.types import InputError

FILE = "config.json"
_MISSING = "nothing"


def check_config(directory: Path, config: Mapping[str, Any]) -> None:
    """Raises an error if ``directory`` belongs to a run of another configuration.

    Args:
        directory: Folder whose :data:`FILE`, if there is one, says which run it holds.
        config: Everything that decides the run's result; nested, of JSON's types (others are
            compared by their text).

    Raises:
        InputError: Names every field that differs, with both values; or the file is damaged.
    """
    file = directory / FILE
    if not file.exists():
        return
    stored, asked = _flat(_read(file)), _flat(_as_json(config))
    differing = [
        f"{name} is {stored.get(name, _MISSING)} there and {asked.get(name, _MISSING)} here"
        for name in sorted(stored.keys() | asked.keys())
        if stored.get(name, _MISSING) != asked.get(name, _MISSING)
    ]
    if differing:
        raise InputError(
            f"the folder {directory} holds a run of another configuration: {'; '.join(differing)}; "
            "give the same options to continue it, or take another folder"
        )


def write_config(directory: Path, config: Mapping[str, Any]) -> None:
    """Makes ``directory`` the folder of the run with ``config``."""
    with replacing(directory / FILE) as partial:
        partial.write_text(json.dumps(_as_json(config), indent=2) + "\n")


def _read(file: Path) -> Mapping[str, Any]:
    remedy = "take another folder, or remove that file if the options are those of the run"
    expected = f"the configuration of the run in its folder: {remedy}"
    stored = read_json(file, expected)
    if not isinstance(stored, Mapping):
        raise InputError(f"{file} holds no configuration; expected {expected}")
    return stored


def _as_json(config: Mapping[str, Any]) -> dict[str, Any]:
    """The configuration as it reads back from a file: tuples are lists, keys are text."""
    return json.loads(json.dumps(dict(config), default=str))


def _flat(config: Mapping[str, Any], prefix: str = "") -> dict[str, str]:
    """Dotted names -> values as text: ``{"a": {"b": 1}}`` becomes ``{"a.b": "1"}``."""
    flat: dict[str, str] = {}
    for name, value in config.items():
        if isinstance(value, Mapping) and value:
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = json.dumps(value)
    return flat
