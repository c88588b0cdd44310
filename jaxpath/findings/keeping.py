"""What was measured, kept in a folder, so that a run that was stopped goes on where it was."""

import hashlib
import json
from collections.abc import Mapping
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from jaxpath.caches import cache_file, kept
from jaxpath.fills import Fill
from jaxpath.findings.measuring import Asked, Measured, Others, put_to_test
from jaxpath.findings.verdicts import Control, Controls
from jaxpath.metrics import Session
from jaxpath.targets import digest

_FORMAT = 1


def kept_test(
    session: Session,
    asked: Asked,
    *,
    folder: Path | None,
    fills: Mapping[str, Fill],
    others: Others | None,
    **how: Any,
) -> list[Measured]:
    """:func:`~jaxpath.findings.put_to_test`, read from ``folder`` if that keeps it; None keeps nothing."""

    def measure() -> list[Measured]:
        return put_to_test(session, asked, fills=fills, others=others, **how)

    if folder is None:
        return measure()
    named = f"{version('jaxpath')}|{session.target.name}|{sorted(fills)}|{asked.against}|{asked.extent}|{how}"
    named += f"|{digest((session.params, dict(fills), asked[:4], others))}"
    key = hashlib.sha256(named.encode()).hexdigest()
    path = cache_file("controls", key, version=_FORMAT, suffix=".json", folder=folder)
    return kept(path, measure, read=_read, write=_write)


def _write(path: Path, measured: list[Measured]) -> None:
    rows = [
        {
            "controls": {name: each._asdict() for name, each in one.controls.items()},
            "foreign": one.foreign.tolist(),
            "probabilities": one.probabilities.tolist(),
        }
        for one in measured
    ]
    path.write_text(json.dumps(rows))


def _read(path: Path) -> list[Measured]:
    rows = json.loads(path.read_text(encoding="utf-8"))
    return [
        Measured(
            {name: _controls(fields) for name, fields in row["controls"].items()},
            np.asarray(row["foreign"], np.int64),
            np.asarray(row["probabilities"], np.float64),
        )
        for row in rows
    ]


def _controls(fields: Mapping[str, Any]) -> Controls:
    return Controls(**{name: Control(*values) for name, values in fields.items()})
