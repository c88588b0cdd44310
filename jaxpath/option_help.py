"""The text of ``--help``, without what only the parser of options needs to know."""

import re

_OPTIONAL = re.compile(r"\{None\}\|(?:\{\[(\w+) \[\w+ \.\.\.\]\]\}|(\S+))")
_CHOICE = re.compile(r"\{None,([^}]*)\}")
_SEVERAL = re.compile(r"\[\[?(\w+) \[\w+ \.\.\.\]\]?\]")
_GONE = "\0"
"""In place of a letter that is left out: a line of nothing else is left out as well."""

_NO_DEFAULT = re.compile(r"\(default:(\s*(?:│\n│\s*)?)(?:None)?\)")


def plain(text: str) -> str:
    """The same help, in boxes of the same width, without empty defaults, ``{None}|`` and backticks.

    >>> plain("│ --words {None}|PATH     What. (default: None)  │")
    '│ --words PATH            What.                  │'
    """
    text = _OPTIONAL.sub(lambda m: _padded(f"{m[1]} ..." if m[1] else m[2], m[0]), text)
    text = _CHOICE.sub(lambda m: _padded(f"{{{m[1]}}}", m[0]), text)
    text = _SEVERAL.sub(lambda m: _padded(f"{m[1]} ...", m[0]), text)
    text = _NO_DEFAULT.sub(lambda m: re.sub(r"[^\s│]", _GONE, m[0]), text)
    lines = [line for line in text.split("\n") if _GONE not in line or re.search(rf"[^\s│{_GONE}]", line)]
    return "\n".join(_without_backticks(line.replace(_GONE, " ")) for line in lines)


def _padded(short: str, whole: str) -> str:
    return short.ljust(len(whole))


def _without_backticks(line: str) -> str:
    count = line.count("``")
    if not line.endswith("│"):
        return line.replace("``", "").rstrip()
    return f"{line[:-1].replace('``', '')}{'  ' * count}│"
