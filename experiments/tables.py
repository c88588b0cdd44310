"""What experiments/compare.py makes of its scores: means over runs, CSV, and tables to read."""

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import common
import numpy as np

from jaxpath import metrics

COUNTED = ("fidelity", "leakage", "mdc", "accuracy", "aciou", "between_iou", "retention", "mic")
"""Metrics that get an interval over the runs of one name."""

SHOWN = (0.05, 0.1, 0.5, 0.9)
OVERLAP_AT = 0.1
"""Densities at which the table of one row per explainer looks, as far as they were scored."""


def merge(found: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Runs of one name become one row: means, and 95 % intervals over the runs (``_runs_low``)."""
    groups: dict[str, list[dict[str, Any]]] = {}
    for result in found:
        groups.setdefault(result.pop("name"), []).append(result)
    return {name: {"runs": len(group), **_mean(group)} for name, group in groups.items()}


def _mean(values: Sequence[Any]) -> Any:
    """Means of nested figures that have the same form in every run."""
    first = values[0]
    if len(values) == 1:
        return first
    if isinstance(first, Mapping):
        merged = {}
        for name in first:
            merged[name] = _mean([value[name] for value in values])
            if name in (*COUNTED, "density") and np.isfinite(merged[name]):
                interval = metrics.seed_interval([value[name] for value in values])
                merged[f"{name}_runs_low"], merged[f"{name}_runs_high"] = interval.low, interval.high
        return merged
    if isinstance(first, list):
        if first and isinstance(first[0], Mapping):
            return [_mean(list(items)) for items in zip(*values, strict=True)]
        return sorted({item for value in values for item in value})
    # A density stays the number that it was: the mean of three 0.1 is another.
    differ = isinstance(first, float) and any(value != first for value in values)
    return float(np.mean(values)) if differ else first


def write_csv(path: Path, rows: Mapping[str, dict[str, Any]]) -> None:
    """One line per explainer and density."""
    names = list(dict.fromkeys(name for row in rows.values() for point in row["curve"] for name in point))
    with path.open("w", newline="") as file:
        writer = csv.DictWriter(file, ["explainer", "runs", "num_images", *names])
        writer.writeheader()
        for name, row in rows.items():
            for point in row["curve"]:
                first = {"explainer": name, "runs": row["runs"], "num_images": row["num_images"]}
                writer.writerow({**first, **point})


def print_curves(rows: Mapping[str, dict[str, Any]]) -> None:
    """Fidelity / leakage / mDC of every explainer at every density."""
    densities = [point["density"] for point in next(iter(rows.values()))["curve"]]
    common.say("fidelity / leakage / mDC")
    common.say(f"{'density':>22} " + " ".join(f"{density:^14g}" for density in densities))
    for name, row in rows.items():
        cells = (f"{p['fidelity']:.2f}/{p['leakage']:.2f}/{p['mdc']:.2f}" for p in row["curve"])
        common.say(f"{name:>22} " + " ".join(f"{cell:^14}" for cell in cells))
    for name, row in rows.items():
        if "natural" in row:
            n = row["natural"]
            common.say(
                f"{name} at its own densities: {n['density']:.3f} (std {n['density_std']:.3f}) open, "
                f"fidelity {n['fidelity']:.3f}, leakage {n['leakage']:.3f}, mDC {n['mdc']:.3f}"
            )


def one_row_each(rows: Mapping[str, Mapping[str, Any]]) -> str:
    """A Markdown table, one line per explainer: its curve at some densities, overlaps, areas, cost.

    A generator's own densities have a column. With several runs all cells are means.
    """
    densities = [point["density"] for point in next(iter(rows.values()))["curve"]]
    shown = [density for density in SHOWN if density in densities] or densities[:1]
    overlap_at = OVERLAP_AT if OVERLAP_AT in densities else shown[0]
    sizes = list(next(iter(rows.values())).get("milliseconds_per_image", {}))
    header = [
        "explainer",
        "runs x images",
        *(f"at {density:g}" for density in shown),
        "at its own densities",
        f"IoU within / between classes at {overlap_at:g}",
        "insertion / deletion",
        *(f"ms per image, batch {size}" for size in sizes),
    ]
    lines = [_line(header), "|---" * len(header) + "|"]
    for name, row in rows.items():
        at = {point["density"]: point for point in row["curve"]}
        overlap = at[overlap_at]
        own = row.get("natural")
        lines.append(
            _line(
                [
                    name,
                    f"{row['runs']} x {row['num_images']}",
                    *(_scores(at[density]) for density in shown),
                    "" if own is None else f"{own['density']:.3f}: {_scores(own)}",
                    f"{overlap['aciou']:.2f} / {overlap['between_iou']:.2f}",
                    f"{row['insertion']:.2f} / {row['deletion']:.2f}",
                    *(f"{row['milliseconds_per_image'][size]:.3g}" for size in sizes),
                ]
            )
        )
    chance = next(iter(rows.values()))["curve"][densities.index(overlap_at)]["random_aciou"]
    notes = (
        "Cells at a density: fidelity / leakage / mean drop of confidence. IoU beside it: random masks of "
        f"density {overlap_at:g} have {chance:.2f} / {chance:.2f}, one mask for all images 1 / 1."
    )
    return "\n".join([*lines, "", notes, ""])


def _scores(point: Mapping[str, Any]) -> str:
    return f"{point['fidelity']:.3f} / {point['leakage']:.3f} / {point['mdc']:.3f}"


def _line(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
