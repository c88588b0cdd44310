"""What a run of LAP leaves behind: ``results.json`` and the figure of maps."""

import dataclasses
from collections.abc import Mapping
from typing import Any

from jaxpath import data
from jaxpath.runs.lap.figures import plot_explanations
from jaxpath.runs.lap.options import ScoreOptions
from jaxpath.runs.lap.scoring import evaluate_lap
from jaxpath.runs.pictures import save_figures
from jaxpath.runs.results import write_results
from jaxpath.runs.run import Run, say
from jaxpath.runs.study import Net

_PRINTED = (
    *("accuracy", "plain_accuracy", "pointing_game", "energy_in_mask"),
    "best_explainer_energy_in_mask",
)


def report_lap(
    plain: Net,
    trained: Net,
    held_out: data.Source,
    options: ScoreOptions,
    *,
    run: Run,
    facts: Mapping[str, Any] | None = None,
) -> dict[str, Any]:
    """Scores both nets and every explanation, and writes ``results.json`` and ``maps.png``.

    Args:
        plain: The net with ordinary pooling.
        trained: The LAP net.
        held_out: The images to score.
        options: Which explanations, and how.
        run: The run.
        facts: What else the results hold.

    Returns:
        The figures, from :func:`evaluate_lap`, ``score``, the options by which they were measured, and
        ``facts``.
    """
    say(f"evaluation: {len(held_out)} held-out images")
    figures = {**evaluate_lap(plain, trained, held_out, options, seed=run.seed), **(facts or {})}
    figures["score"] = dataclasses.asdict(options)
    save_figures({"maps.png": plot_explanations(plain, trained, held_out, seed=run.seed)}, run=run)
    write_results(figures, run=run)
    for name in _PRINTED:
        if name in figures:
            say(f"  {name:>30} {figures[name]:.3f}")
    return figures
