r"""Says which goals of the comparison on CIFAR-10 the trained generators reach, with the figures.

    python experiments/goals.py --results runs/compare/results.json --honest budget --sparse gencnp

The file is experiments/compare.py's. A budget and a leakage weight make a generator honest, the default
objective makes it sparse: two rows of the comparison. Figures are means over the runs of a name; a pair in
brackets is a 95 % interval over them. The thresholds are the project's own, and older than any generator.
"""

import dataclasses
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import common

from jaxpath.types import InputError

Row = Mapping[str, Any]

DISTANCE = 0.02
"""Drops of confidence that differ by no more count as equal."""


@dataclasses.dataclass(frozen=True)
class Options(common.Launch):
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
        found: What was measured.
        met: Whether it is.
    """

    name: str
    asked: str
    found: str
    met: bool


def run(options: Options) -> None:
    """Reads the results and prints a Markdown table."""
    common.say(table(judge(read_rows(options), honest=options.honest, sparse=options.sparse)))


def read_rows(options: Options) -> dict[str, Row]:
    """The comparison's rows; raises an error if the file or one of the generators is not there."""
    try:
        rows = json.loads(options.results.read_text())["explainers"]
    except (OSError, ValueError, KeyError) as error:
        raise InputError(
            f"{options.results} cannot be read as results of experiments/compare.py: {error}"
        ) from error
    for name in (options.honest, options.sparse):
        if "natural" not in rows.get(name, {}):
            raise InputError(f"{options.results} has no generator {name!r}; its rows are {', '.join(rows)}")
    return rows


def judge(rows: Mapping[str, Row], *, honest: str, sparse: str) -> list[Goal]:
    """The goals in their order; those about every generator, for each of the two."""
    others = {name: row for name, row in rows.items() if "natural" not in row and "refined" not in name}
    goals = [_honest(rows[honest]), _sparse(rows[sparse]), _best_curve(rows[sparse], others)]
    for name in (honest, sparse):
        goals += _instance_specific(name, rows[name], others)
        goals += _amortised(name, rows, others)
    return goals


def _honest(row: Row) -> Goal:
    own = row["natural"]
    met = own["fidelity"] >= 0.95 and own["leakage"] <= 0.2 and own["density"] <= 0.5
    found = ", ".join(
        f"{metric} {_with_interval(own, metric)}" for metric in ("fidelity", "leakage", "density")
    )
    return Goal("1 honest", "fidelity >= .95, leakage <= .20 at a density <= .5", found, met)


def _sparse(row: Row) -> Goal:
    """At the best of the densities that are low enough, the generator's own one among them."""
    low = [point for point in (row["natural"], *row["curve"]) if point["density"] <= 0.05]
    asked = "fidelity >= .97 at a density <= .05"
    if not low:
        return Goal("2 sparse", asked, "no density so low was scored", False)
    best = max(low, key=lambda point: point["fidelity"])
    found = f"fidelity {_with_interval(best, 'fidelity')}, density {_with_interval(best, 'density')}"
    return Goal("2 sparse", asked, found, best["fidelity"] >= 0.97)


def _best_curve(row: Row, others: Mapping[str, Row]) -> Goal:
    """At which densities a baseline keeps more classes."""
    behind = []
    for place, point in enumerate(row["curve"]):
        best = max(others, key=lambda name: others[name]["curve"][place]["fidelity"])
        fidelity = others[best]["curve"][place]["fidelity"]
        if point["fidelity"] < fidelity:
            behind.append(f"{point['density']:g} ({point['fidelity']:.3f}, {best} {fidelity:.3f})")
    found = f"behind at {', '.join(behind)}" if behind else "nowhere behind"
    return Goal("2 sparse", "fidelity at or above every baseline's at every density", found, not behind)


def _instance_specific(name: str, row: Row, others: Mapping[str, Row]) -> Iterator[Goal]:
    own = row["natural"]
    spread = own["density_std"]
    yield Goal(f"3 instance-specific, {name}", "std of density > .02", f"{spread:.3f}", spread > 0.02)
    place = _nearest(row, own["density"])
    gap = _gap(row["curve"][place])
    best = max(others, key=lambda other: _gap(others[other]["curve"][place]))
    theirs = _gap(others[best]["curve"][place])
    found = f"{gap:.3f}; {best} {theirs:.3f}"
    asked = (
        f"gap of IoU within and between classes above every baseline's at {row['curve'][place]['density']:g}"
    )
    yield Goal(f"3 instance-specific, {name}", asked, found, gap > theirs)


def _amortised(name: str, rows: Mapping[str, Row], others: Mapping[str, Row]) -> Iterator[Goal]:
    row = rows[name]
    place = _nearest(row, row["natural"]["density"])
    drop = row["curve"][place]["mdc_searched"]
    for slow in (f"{name}, refined", "dgr"):
        if slow in rows:
            theirs = rows[slow]["curve"][place]["mdc_searched"]
            asked = (
                f"mean drop of confidence within {DISTANCE} of {slow}'s at {row['curve'][place]['density']:g}"
            )
            yield Goal(f"4 amortised, {name}", asked, f"{drop:.3f}; {theirs:.3f}", drop <= theirs + DISTANCE)
    for slow, times in (("integrated_gradients", 20), ("dgr", 100)):
        if slow in others and "milliseconds_per_image" in row:
            ratios = {
                size: others[slow]["milliseconds_per_image"][size] / own
                for size, own in row["milliseconds_per_image"].items()
            }
            found = ", ".join(f"{ratio:.0f} in batches of {size}" for size, ratio in ratios.items())
            yield Goal(
                f"4 amortised, {name}",
                f"at least {times} times faster than {slow}",
                found,
                min(ratios.values()) >= times,
            )


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
    lines += [f"| {g.name} | {g.asked} | {g.found} | {'met' if g.met else '**missed**'} |" for g in goals]
    return "\n".join(lines)


if __name__ == "__main__":
    common.main(run, Options, __doc__)
