"""Docstrings as Markdown: ``:func:`name``` becomes a link of the API reference, an example becomes code."""

import re
from typing import Any

import griffe

_ROLE = re.compile(r":(?:class|data|func|meth|mod):`~?\.?([\w.]+)`")
_EXAMPLE = re.compile(r"^>>> .*(?:\n.+)*", re.MULTILINE)


class Roles(griffe.Extension):
    """Rewrites every docstring once its module is read."""

    def on_instance(self, *, obj: griffe.Object, **_: Any) -> None:
        """Called by griffe for each module, class, function and attribute."""
        if obj.docstring:
            text = _ROLE.sub(lambda role: _link(obj, role[1]), obj.docstring.value)
            obj.docstring.value = _EXAMPLE.sub(r"```pycon\n\g<0>\n```", text)


def _link(obj: griffe.Object, name: str) -> str:
    try:
        path = name if name.startswith("jaxpath.") else obj.resolve(name)
    except griffe.NameResolutionError:
        path = name
    # Optional: a name that has no entry of its own stays plain code.
    return f'<autoref optional identifier="{path}"><code>{name.split(".")[-1]}</code></autoref>'
