"""Packages that load a part when it is first used: a command that only prints a line loads nothing."""

import ast
import importlib
import sys
from collections.abc import Callable
from typing import Any


def attributes_of(package: str) -> Callable[[str], Any]:
    """The ``__getattr__`` of a package, for what it imports under ``if TYPE_CHECKING:``.

    The imports stand where type checkers and readers find them; they are read from the source at the first
    use of any of them.

    Args:
        package: Its ``__name__``.
    """
    places: dict[str, tuple[str, str | None]] = {}

    def get(name: str) -> Any:
        if not places:
            places.update(_imports(package))
        if name not in places:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        module, inside = places[name]
        loaded = importlib.import_module(module)
        value = loaded if inside is None else getattr(loaded, inside)
        setattr(sys.modules[package], name, value)
        return value

    return get


def function_in(module: str, name: str) -> Callable[..., Any]:
    """A function of a module that is loaded when the function is first called.

    >>> function_in("math", "hypot")(3, 4)
    5.0
    """

    def call(*args: Any, **options: Any) -> Any:
        return getattr(importlib.import_module(module), name)(*args, **options)

    return call


def _imports(package: str) -> dict[str, tuple[str, str | None]]:
    """Name -> module, and the name there; None for a module itself."""
    spec = sys.modules[package].__spec__
    source = spec.loader.get_source(package)  # type: ignore[union-attr]
    places: dict[str, tuple[str, str | None]] = {}
    for node in ast.parse(source).body:
        if not (isinstance(node, ast.If) and ast.unparse(node.test) == "TYPE_CHECKING"):
            continue
        for statement in node.body:
            assert isinstance(statement, ast.ImportFrom)
            for alias in statement.names:
                inside = (f"{statement.module}.{alias.name}", None)
                is_part = statement.module == package
                places[alias.asname or alias.name] = (
                    inside if is_part else (str(statement.module), alias.name)
                )
    return places
