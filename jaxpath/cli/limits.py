"""Limits of figures, such as ``leakage>0.5``: with them a command can fail a pipeline."""

import math
import operator
import re
import sys
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple, NoReturn

from jaxpath.errors import InputError

STATUS = 3
"""Exit status of a command that left its results, of which one is beyond a limit."""

_FORM = re.compile(r"\s*([A-Za-z][\w.]*)\s*(<=|>=|<|>)\s*([-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?)\s*")

_COMPARE: Mapping[str, Callable[[float, float], bool]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


class Limit(NamedTuple):
    """A figure, how it is compared, and with what."""

    name: str
    sign: str
    value: float


def read_limit(text: str) -> Limit:
    """Reads a limit.

    >>> read_limit("leakage > 0.5")
    Limit(name='leakage', sign='>', value=0.5)

    Raises:
        InputError: It is none.
    """
    match = _FORM.fullmatch(text)
    if match is None:
        raise InputError(
            f'--fail-if got "{text}"; expected a figure of the summary, one of < <= > >=, and a number, such '
            'as "leakage>0.5" or "zero.fidelity<0.9"'
        )
    return Limit(match[1], match[2], float(match[3]))


def beyond(limit: Limit, summary: Mapping[str, Any]) -> list[str]:
    """Says where a figure is beyond its limit; a name without an ablation is that under any of them.

    Args:
        limit: The limit.
        summary: ``summary`` of ``results.json``: figures, and by ablation figures.

    Raises:
        InputError: There is no such figure, or it was not measured.
    """
    found = {
        name: value
        for name, value in _figures(summary).items()
        if limit.name in (name, name.partition(".")[2])
    }
    if not found:
        known = sorted({name.rpartition(".")[2] for name in _figures(summary)})
        raise InputError(
            f"--fail-if names {limit.name!r}, which is no figure of the summary; choose one of "
            f"{', '.join(known)}, alone or after an ablation and a dot"
        )
    measured = {name: value for name, value in found.items() if not math.isnan(value)}
    if not measured:
        raise InputError(
            f"--fail-if names {limit.name!r}, which was not measured here: give pictures of other classes, "
            "such as with --reference"
        )
    return [
        f"{name} is {value:.4g}, and {limit.sign} {limit.value:g} fails"
        for name, value in measured.items()
        if _COMPARE[limit.sign](value, limit.value)
    ]


def _figures(summary: Mapping[str, Any]) -> dict[str, float]:
    flat: dict[str, float] = {}
    for name, value in summary.items():
        if isinstance(value, Mapping):
            flat |= {f"{name}.{inner}": figure for inner, figure in _figures(value).items()}
        elif isinstance(value, int | float) and not isinstance(value, bool):
            flat[name] = float(value)
    return flat


def end_beyond(limits: Sequence[str], summary: Mapping[str, Any]) -> None:
    """Ends the process with status 3 if a figure is beyond its limit."""
    said = [line for limit in limits for line in beyond(read_limit(limit), summary)]
    if said:
        _fail(said)


def _fail(said: Sequence[str]) -> NoReturn:
    for line in said:
        print(f"beyond the limit: {line}", file=sys.stderr)
    raise SystemExit(STATUS)
