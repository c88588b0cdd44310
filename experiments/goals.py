r"""Says which goals of the comparison on CIFAR-10 the trained generators reach, with the figures.

    python experiments/goals.py --results runs/compare/results.json --honest budget --sparse gencnp

Figures are means over runs, in brackets their 95 % interval; the thresholds are older than any generator.
"""

import dataclasses
from math import nan
from pathlib import Path

from jaxpath import runs
from jaxpath.runs.comparison import best_baseline, list_figures, nearest_cut, read_rows


@dataclasses.dataclass(frozen=True)
class Goals(runs.Launch):
    """Judges generators trained with a budget and a leakage weight, and those of the default objective."""

    results: Path
    honest: str = "budget"
    sparse: str = "gencnp"


def honest(rows, name):
    natural = rows[name]["natural"]
    met = natural["fidelity"] >= 0.95 and natural["leakage"] <= 0.2 and natural["density"] <= 0.5
    return list_figures(natural, "fidelity", "leakage", "density"), met


def sparse(rows, name):
    points = [point for point in (rows[name]["natural"], *rows[name]["curve"]) if point["density"] <= 0.05]
    best = max(points, key=lambda point: point["fidelity"], default={"fidelity": nan, "density": nan})
    return list_figures(best, "fidelity", "density"), best["fidelity"] >= 0.97


def ahead(rows, name):
    behind = []
    for place, point in enumerate(rows[name]["curve"]):
        fidelity, rival = best_baseline(rows, place, lambda point: point["fidelity"])
        if point["fidelity"] < fidelity:
            behind.append(f"{point['density']:g} ({point['fidelity']:.3f}, {rival} {fidelity:.3f})")
    return f"behind at {', '.join(behind)}" if behind else "nowhere behind", not behind


def varied(rows, name):
    spread = rows[name]["natural"]["density_std"]
    return f"{spread:.3f}", spread > 0.02


def specific(rows, name):
    point = rows[name]["curve"][place := nearest_cut(rows[name])]
    theirs, rival = best_baseline(rows, place, lambda point: point["aciou"] - point["between_iou"])
    gap = point["aciou"] - point["between_iou"]
    return f"{gap:.3f}; {rival} {theirs:.3f} at {point['density']:g}", gap > theirs


def near(rows, name, slow):
    point, theirs = (rows[key]["curve"][nearest_cut(rows[name])] for key in (name, slow.format(name)))
    drop, least = point["mdc_searched"], theirs["mdc_searched"]
    return f"{drop:.3f}; {least:.3f} at {point['density']:g}", drop <= least + 0.02


def fast(rows, name, slow, times):
    mine, theirs = (rows[key].get("milliseconds_per_image", {}) for key in (name, slow))
    ratios = {size: theirs[size] / mine[size] for size in mine}
    text = ", ".join(f"{ratio:.0f} in batches of {size}" for size, ratio in ratios.items())
    return text or "not timed", min(ratios.values(), default=0) >= times


GOALS: tuple[tuple, ...] = (
    ("honest", "1 honest", "fidelity >= .95, leakage <= .20 at a density <= .5", honest),
    ("sparse", "2 sparse", "fidelity >= .97 at a density <= .05", sparse),
    ("sparse", "2 sparse", "fidelity at or above every baseline's at every density", ahead),
    ("both", "3 instance-specific", "std of density > .02", varied),
    ("both", "3 instance-specific", "gap of IoU within and between classes above any baseline's", specific),
    ("both", "4 amortised", "mean drop of confidence within .02 of its own search's", near, "{}, refined"),
    ("both", "4 amortised", "mean drop of confidence within .02 of dgr's", near, "dgr"),
    ("both", "4 amortised", "20 times as fast as integrated gradients", fast, "integrated_gradients", 20),
    ("both", "4 amortised", "100 times as fast as dgr", fast, "dgr", 100),
)
"""Of whom, name, what it asks, what measures it; what that takes besides, first the name of a slow row."""


def judge(rows, *, honest, sparse):
    for whose, goal, asked, measure, *more in GOALS:
        for name in {"honest": [honest], "sparse": [sparse], "both": [honest, sparse]}[whose]:
            if all(slow.format(name) in rows for slow in more[:1]):
                yield f"{goal}, {name}", asked, *measure(rows, name, *more)


def run(options):
    rows = read_rows(options.results, generators=(options.honest, options.sparse))
    runs.say("| goal | asked | measured | |\n|---|---|---|---|")
    for goal, asked, measured, met in judge(rows, honest=options.honest, sparse=options.sparse):
        runs.say(f"| {goal} | {asked} | {measured} | {'met' if met else '**missed**'} |")


if __name__ == "__main__":
    runs.main(run, Goals, __doc__)
