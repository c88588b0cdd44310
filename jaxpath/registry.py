"""Things that are chosen by their name."""

from collections.abc import Mapping
from typing import TypeVar

from jaxpath.errors import InputError

Entry = TypeVar("Entry")


def choose(entries: Mapping[str, Entry], name: str, *, kind: str) -> Entry:
    """The entry of that name.

    Args:
        entries: By name.
        name: The one that is asked for.
        kind: What the entries are, for the error.

    Raises:
        InputError: There is no such entry; the error lists those that exist.

    >>> choose({"a": 1, "b": 2}, "b", kind="letter")
    2
    """
    if name not in entries:
        raise InputError(f"there is no {kind} named {name!r}; choose one of {', '.join(entries)}")
    return entries[name]
