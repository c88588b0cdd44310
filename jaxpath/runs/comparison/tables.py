"""The comparison as text: CSV, Markdown, and what is printed."""

import csv
import io
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from jaxpath.files import write_text
from jaxpath.metrics import METRICS, Metric
from jaxpath.report.style import number
from jaxpath.runs.comparison.scoring import Row
from jaxpath.runs.run import say

_SHOWN = (0.05, 0.1, 0.5, 0.9)
"""Of many densities, those that tables show."""

_OTHERS_AT = 0.1
"""Density at which further columns are given, if it was scored."""

_PANELS = tuple(metric for metric in METRICS if metric.panel)
"""What a cell at a density holds."""

_OTHERS = tuple(
    metric
    for metric in METRICS
    if metric.headline and metric.at_densities and not (metric.panel or metric.ablated)
)
"""What one further column holds, at one density; what depends on the ablation has a table of its own."""

_HEADLINES = tuple(metric for metric in METRICS if metric.headline)
"""What is printed of a generator at densities of its own."""


def write_csv(path: Path, rows: Mapping[str, Row]) -> None:
    """Writes one line per explainer, density and ablation.

    Args:
        path: The file.
        rows: From :func:`~jaxpath.runs.comparison.merge`.
    """
    lines = []
    for name, row in rows.items():
        for point in row["curve"]:
            first = {"explainer": name, "runs": row["runs"], "num_images": row["num_images"]}
            rest = {key: value for key, value in point.items() if key != "ablations"}
            for ablation, figures in point["ablations"].items():
                lines.append({**first, "ablation": ablation, **rest, **figures})
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, list(dict.fromkeys(name for line in lines for name in line)))
    writer.writeheader()
    writer.writerows(lines)
    write_text(path, text.getvalue())


def print_curves(rows: Mapping[str, Row]) -> None:
    """Prints the metrics that have a panel, of every explainer at every density."""
    say(_labels(_PANELS))
    width = 5 * len(_PANELS) - 1
    say(f"{'density':>22} " + " ".join(f"{density:^{width}g}" for density in _densities(rows)))
    for name, row in rows.items():
        cells = (_figures(point, _PANELS, digits=2, separator="/") for point in row["curve"])
        say(f"{name:>22} " + " ".join(f"{cell:^{width}}" for cell in cells))
    for name, row in rows.items():
        if "natural" in row:
            natural = row["natural"]
            figures = (
                f"{metric.label} {number(natural[metric.name], 3)}"
                for metric in _HEADLINES
                if metric.name in natural
            )
            spread = f"over the images, density's standard deviation {natural['density_std']:.3f}"
            say(f"{name} at its own densities: {', '.join(figures)}; {spread}")


def with_interval(point: Row, metric: str) -> str:
    """A figure with its interval over the runs, if it has one.

    >>> with_interval({"mdc": 0.25, "mdc_runs_low": 0.2, "mdc_runs_high": 0.3}, "mdc")
    '0.250 [0.200, 0.300]'
    """
    mean = number(point[metric], 3)
    if f"{metric}_runs_low" not in point:
        return mean
    return f"{mean} [{point[f'{metric}_runs_low']:.3f}, {point[f'{metric}_runs_high']:.3f}]"


class _Column(NamedTuple):
    """One column of the table: its heading, and its cell for an explainer."""

    heading: str
    cell: Callable[[str, Row], str]


def markdown(rows: Mapping[str, Row]) -> str:
    """A Markdown table, one line per explainer: its curve at some densities, overlaps, areas, cost.

    A generator's own densities have a column. With several runs all cells are means.

    Args:
        rows: From :func:`~jaxpath.runs.comparison.merge`.
    """
    densities = _densities(rows)
    shown = shown_of(densities)
    others_at = _OTHERS_AT if _OTHERS_AT in densities else shown[0]
    sizes = next(iter(rows.values())).get("milliseconds_per_image", {})
    columns = [
        _Column("explainer", lambda name, _: name),
        _Column("runs x images", lambda _, row: f"{row['runs']} x {row['num_images']}"),
        *(_Column(f"at {density:g}", _scores_at(density)) for density in shown),
        _Column("at its own densities", _natural),
        _Column(f"{_labels(_OTHERS)} at {others_at:g}", _others_at(others_at)),
        _Column("insertion / deletion", lambda _, row: f"{row['insertion']:.2f} / {row['deletion']:.2f}"),
        *(_Column(f"ms per image, batch {size}", _milliseconds(size)) for size in sizes),
    ]
    lines = [_line(column.heading for column in columns), "|---" * len(columns) + "|"]
    lines += [_line(column.cell(name, row) for column in columns) for name, row in rows.items()]
    chance = _point(next(iter(rows.values())), others_at)["random_aciou"]
    notes = (
        f"Cells at a density: {_labels(_PANELS)}. IoU within and between classes is {chance:.2f} for random "
        f"masks of density {others_at:g}, and 1 for one mask of all images."
    )
    tried = {row["num_tried"] for row in rows.values() if row["num_tried"] < row["num_images"]}
    if tried:
        notes += (
            " What pathways do to other pictures than their own, such as leakage, and ablations beside the "
            f"first rest on {min(tried)} of the images."
        )
    return "\n".join([*lines, "", notes, ""])


def shown_of(densities: Sequence[float]) -> list[float]:
    """The densities that tables show: all where they are few.

    >>> shown_of([0.2, 0.5]), shown_of([0.05, 0.1, 0.2, 0.3, 0.5, 0.7])
    ([0.2, 0.5], [0.05, 0.1, 0.5])
    """
    if len(densities) <= len(_SHOWN):
        return list(densities)
    return [density for density in _SHOWN if density in densities] or list(densities[:1])


def _scores_at(density: float) -> Callable[[str, Row], str]:
    return lambda _, row: _figures(_point(row, density), _PANELS)


def _others_at(density: float) -> Callable[[str, Row], str]:
    return lambda _, row: _figures(_point(row, density), _OTHERS, digits=2)


def _milliseconds(size: str) -> Callable[[str, Row], str]:
    return lambda _, row: f"{row['milliseconds_per_image'][size]:.3g}"


def _natural(_: str, row: Row) -> str:
    if "natural" not in row:
        return ""
    return f"{row['natural']['density']:.3f}: {_figures(row['natural'], _PANELS)}"


def _densities(rows: Mapping[str, Row]) -> list[float]:
    return [point["density"] for point in next(iter(rows.values()))["curve"]]


def _point(row: Row, density: float) -> Row:
    """The row of a curve at one of its densities."""
    return next(point for point in row["curve"] if point["density"] == density)


def _labels(metrics: Iterable[Metric]) -> str:
    return " / ".join(metric.label for metric in metrics)


def _figures(point: Row, metrics: Iterable[Metric], *, digits: int = 3, separator: str = " / ") -> str:
    return separator.join(number(point[metric.name], digits) for metric in metrics)


def _line(cells: Iterable[str]) -> str:
    return f"| {' | '.join(cells)} |"
