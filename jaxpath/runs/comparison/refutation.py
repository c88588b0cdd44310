"""What a switch for the class cannot pass: explainers under every ablation, as a table."""

from collections.abc import Iterator, Mapping
from typing import Any

from jaxpath.metrics import METRICS
from jaxpath.report.style import number
from jaxpath.runs.comparison.tables import shown_of

_CONTROLS = ("random", "constant", "taylor_signed")
"""Baselines that say what figures are worth: masks without a reason, and a known switch for the class."""


def refutation_table(rows: Mapping[str, Mapping[str, Any]]) -> str:
    """A Markdown table, one line per explainer, density and ablation, with 95 % intervals.

    Args:
        rows: From :func:`~jaxpath.runs.comparison.merge`. Intervals are over images; of several runs, over
            these.
    """
    points = list(_points(rows))
    headlines = (metric for metric in METRICS if metric.ablated and metric.headline)
    columns = [metric for metric in headlines if any(metric.name in figures for *_, figures in points)]
    lines = [_line(["explainer", "density", "closed neurons", *(metric.label for metric in columns)])]
    lines.append("|---" * (len(columns) + 3) + "|")
    for name, density, ablation, figures in points:
        lines.append(_line([name, density, ablation, *(_cell(figures, m.name) for m in columns)]))
    controls = [name for name in _CONTROLS if name in rows]
    beside = f"Read every line beside the controls: {', '.join(controls)}." if controls else "No control."
    worst = "; ".join(f"{name} {_worst(row)}" for name, row in rows.items())
    return "\n".join([*lines, "", beside, f"Smallest fidelity over the ablations: {worst}.", ""])


def _points(rows: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, str, str, Mapping[str, float]]]:
    """Explainer, density, ablation and figures of each line."""
    for name, row in rows.items():
        for density, point in _shown(row):
            for ablation, figures in point["ablations"].items():
                yield name, density, ablation, figures


def _shown(row: Mapping[str, Any]) -> list[tuple[str, Mapping[str, Any]]]:
    """The points that the table shows, with their densities as text."""
    curve = row["curve"]
    densities = shown_of([point["density"] for point in curve])
    points = [point for point in curve if point["density"] in densities]
    shown = [(f"{point['density']:g}", point) for point in points]
    if "natural" in row:
        shown.append((f"own, {row['natural']['density']:.3f}", row["natural"]))
    return shown


def _worst(row: Mapping[str, Any]) -> str:
    return ", ".join(f"{point['worst_fidelity']:.3f} at {density}" for density, point in _shown(row))


def _cell(figures: Mapping[str, float], name: str) -> str:
    if name not in figures:
        return ""
    for low, high in ((f"{name}_runs_low", f"{name}_runs_high"), (f"{name}_low", f"{name}_high")):
        if low in figures:
            return f"{number(figures[name])} [{number(figures[low])}, {number(figures[high])}]"
    return number(figures[name])


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"
