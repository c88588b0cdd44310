"""A comparison that was written before: its rows, and what to compare in them."""

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from jaxpath.runs.comparison.entries import REFINED
from jaxpath.runs.comparison.scoring import Row
from jaxpath.types import InputError


def read_rows(path: Path, *, generators: Sequence[str] = ()) -> dict[str, Row]:
    """The rows of a comparison by explainer.

    Args:
        path: Its ``results.json``.
        generators: Names of trained generators that must be among them.

    Raises:
        InputError: There is no such file, it holds something else, or a generator is missing.
    """
    try:
        rows = json.loads(path.read_text(encoding="utf-8"))["explainers"]
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"{path} cannot be read as a comparison's results ({error}); give the results.json that "
            "experiments/compare.py writes"
        ) from error
    for name in generators:
        if "natural" not in rows.get(name, {}):
            raise InputError(f"{path} has no generator {name!r}; its rows are {', '.join(rows)}")
    return rows


def best_baseline(rows: Mapping[str, Row], place: int, figure: Callable[[Row], float]) -> tuple[float, str]:
    """The highest figure of those that are neither trained nor start from one that is, and whose it is.

    Args:
        rows: From :func:`read_rows`.
        place: On the curves.
        figure: Row of a curve -> number.
    """
    baselines = {
        name: row for name, row in rows.items() if "natural" not in row and not name.endswith(REFINED)
    }
    return max((figure(row["curve"][place]), name) for name, row in baselines.items())


def nearest_cut(row: Row) -> int:
    """The place on a generator's curve that is nearest to the density of its own masks."""
    distances = [abs(point["density"] - row["natural"]["density"]) for point in row["curve"]]
    return distances.index(min(distances))
