r"""Says which goals of the comparison on CIFAR-10 the trained generators reach, with the figures.

    python docs/goals.py --results runs/compare/results.json --honest budget --sparse gencnp

The file is experiments/compare.py's. A budget and a leakage weight make a generator honest, the default
objective makes it sparse: two rows of the comparison. Figures are means over the runs of a name; a pair in
brackets is a 95 % interval over them. The thresholds are the project's own, and older than any generator.
"""

import dataclasses
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from jaxpath import runs
from jaxpath.types import InputError

Row = Mapping[str, Any]

DISTANCE = 0.02
"""Drops of confidence that differ by no more count as equal."""


@dataclasses.dataclass(frozen=True)
class Options(runs.Launch):
    """Which rows to judge.

    Attributes:
        results: results.json of experiments/compare.py.
        honest: Name of the generators that were trained with a budget and a leakage weight.
        sparse: Name of the generators that were trained by the default objective.
    """

    results: Path
    honest: str = "budget"
    sparse: str = "gencnp"


class Goal(NamedTuple):
    """One line of the answer.

    Attributes:
        name: Which goal.
        asked: What it asks for.
        measured: The figures.
        met: Whether it is.
    """

    name: str
    asked: str
    measured: str
    met: bool


def run(options: Options) -> None:
    """Reads the results and prints a Markdown table."""
    runs.say(table(judge(read_rows(options), honest=options.honest, sparse=options.sparse)))


def read_rows(options: Options) -> dict[str, Row]:
    """The comparison's rows; raises an error if the file or one of the generators is missing."""
    try:
        rows = json.loads(options.results.read_text(encoding="utf-8"))["explainers"]
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"{options.results} cannot be read as a comparison's results ({error}); give the results.json "
            "that experiments/compare.py writes"
        ) from error
    for name in (options.honest, options.sparse):
        if "natural" not in rows.get(name, {}):
            raise InputError(f"{options.results} has no generator {name!r}; its rows are {', '.join(rows)}")
    return rows


def judge(rows: Mapping[str, Row], *, honest: str, sparse: str) -> list[Goal]:
    """The goals in their order; those about every generator, for each of the two."""
    baselines = {name: row for name, row in rows.items() if "natural" not in row and "refined" not in name}
    goals = [_honest(rows[honest]), _sparse(rows[sparse]), _best_curve(rows[sparse], baselines)]
    for name in (honest, sparse):
        goals += _instance_specific(name, rows[name], baselines)
        goals += _faithful_at_once(name, rows)
        goals += _fast(name, rows[name], baselines)
    return goals


def _honest(row: Row) -> Goal:
    natural = row["natural"]
    met = natural["fidelity"] >= 0.95 and natural["leakage"] <= 0.2 and natural["density"] <= 0.5
    measured = ", ".join(
        f"{metric} {_with_interval(natural, metric)}" for metric in ("fidelity", "leakage", "density")
    )
    return Goal("1 honest", "fidelity >= .95, leakage <= .20 at a density <= .5", measured, met)


def _sparse(row: Row) -> Goal:
    """At the best of the densities that are low enough, the generator's own one among them."""
    low = [point for point in (row["natural"], *row["curve"]) if point["density"] <= 0.05]
    asked = "fidelity >= .97 at a density <= .05"
    if not low:
        return Goal("2 sparse", asked, "no density so low was scored", False)
    best = max(low, key=lambda point: point["fidelity"])
    measured = f"fidelity {_with_interval(best, 'fidelity')}, density {_with_interval(best, 'density')}"
    return Goal("2 sparse", asked, measured, best["fidelity"] >= 0.97)


def _best_curve(row: Row, baselines: Mapping[str, Row]) -> Goal:
    """At which densities a baseline keeps more classes."""
    behind = []
    for place, point in enumerate(row["curve"]):
        best = max(baselines, key=lambda name: baselines[name]["curve"][place]["fidelity"])
        fidelity = baselines[best]["curve"][place]["fidelity"]
        if point["fidelity"] < fidelity:
            behind.append(f"{point['density']:g} ({point['fidelity']:.3f}, {best} {fidelity:.3f})")
    measured = f"behind at {', '.join(behind)}" if behind else "nowhere behind"
    return Goal("2 sparse", "fidelity at or above every baseline's at every density", measured, not behind)


def _instance_specific(name: str, row: Row, baselines: Mapping[str, Row]) -> Iterator[Goal]:
    """Pathways differ between images, and more so between classes than a baseline's."""
    goal = f"3 instance-specific, {name}"
    spread = row["natural"]["density_std"]
    yield Goal(goal, "std of density > .02", f"{spread:.3f}", spread > 0.02)
    place = _nearest(row, row["natural"]["density"])
    gap = _gap(row["curve"][place])
    best = max(baselines, key=lambda baseline: _gap(baselines[baseline]["curve"][place]))
    largest = _gap(baselines[best]["curve"][place])
    density = row["curve"][place]["density"]
    asked = f"gap of IoU within and between classes above every baseline's at {density:g}"
    yield Goal(goal, asked, f"{gap:.3f}; {best} {largest:.3f}", gap > largest)


def _faithful_at_once(name: str, rows: Mapping[str, Row]) -> Iterator[Goal]:
    """One forward pass is as faithful as a search."""
    place = _nearest(rows[name], rows[name]["natural"]["density"])
    density = rows[name]["curve"][place]["density"]
    drop = rows[name]["curve"][place]["mdc_searched"]
    for search in (f"{name}, refined", "dgr"):
        if search in rows:
            searched = rows[search]["curve"][place]["mdc_searched"]
            asked = f"mean drop of confidence within {DISTANCE} of {search}'s at {density:g}"
            measured = f"{drop:.3f}; {searched:.3f}"
            yield Goal(f"4 amortised, {name}", asked, measured, drop <= searched + DISTANCE)


def _fast(name: str, row: Row, baselines: Mapping[str, Row]) -> Iterator[Goal]:
    """One forward pass takes a fraction of the time, in batches of every size that was timed."""
    for slow, times in (("integrated_gradients", 20), ("dgr", 100)):
        if slow in baselines:
            ratios = {
                size: baselines[slow]["milliseconds_per_image"][size] / milliseconds
                for size, milliseconds in row.get("milliseconds_per_image", {}).items()
            }
            measured = ", ".join(f"{ratio:.0f} in batches of {size}" for size, ratio in ratios.items())
            asked = f"at least {times} times faster than {slow}"
            met = min(ratios.values(), default=0) >= times
            yield Goal(f"4 amortised, {name}", asked, measured or "not timed", met)


def _nearest(row: Row, density: float) -> int:
    """Place of the scored density that is nearest to ``density``."""
    return min(range(len(row["curve"])), key=lambda place: abs(row["curve"][place]["density"] - density))


def _gap(point: Row) -> float:
    return point["aciou"] - point["between_iou"]


def _with_interval(point: Row, metric: str) -> str:
    text = f"{point[metric]:.3f}"
    if f"{metric}_runs_low" in point:
        text += f" [{point[f'{metric}_runs_low']:.3f}, {point[f'{metric}_runs_high']:.3f}]"
    return text


def table(goals: list[Goal]) -> str:
    """A Markdown table; a goal that is missed is said to be missed."""
    lines = ["| goal | asked | found | |", "|---|---|---|---|"]
    lines += [f"| {g.name} | {g.asked} | {g.measured} | {'met' if g.met else '**missed**'} |" for g in goals]
    return "\n".join(lines)


if __name__ == "__main__":
    runs.main(run, Options, __doc__)
