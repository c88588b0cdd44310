"""Docstrings name things as ``:func:`name```; here they become links of the API reference."""

import re
from typing import Any

import griffe

_ROLE = re.compile(r":(?:class|data|func|meth|mod):`~?\.?([\w.]+)`")


class Roles(griffe.Extension):
    """Rewrites the roles of every docstring once its module is read."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        """Called by griffe for each module, class, function and attribute."""
        if obj.docstring:
            obj.docstring.value = _ROLE.sub(lambda role: _link(obj, role[1]), obj.docstring.value)


def _link(obj: griffe.Object, name: str) -> str:
    try:
        path = name if name.startswith("jaxpath.") else obj.resolve(name)
    except griffe.NameResolutionError:
        path = name
    # Optional: a name that has no entry of its own stays plain code.
    return f'<autoref optional identifier="{path}"><code>{name.split(".")[-1]}</code></autoref>'
