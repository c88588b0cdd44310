"""Figures that set explainers side by side."""

from collections.abc import Mapping, Sequence
from typing import Any

from matplotlib.axes import Axes
from matplotlib.figure import Figure

from jaxpath.metrics import METRICS
from jaxpath.report import parts
from jaxpath.report.style import INK, MUTED, SERIES, SMALL, TEXT, literal

_MARKERS = "os^Dv<>PX*"
_DASHES = ("-", "--", ":")


def _style(place: int) -> dict[str, Any]:
    """How the line at ``place`` is drawn; the second ten are dashed."""
    count = len(SERIES)
    return {
        "color": SERIES[place % count],
        "marker": _MARKERS[place % count],
        "linestyle": _DASHES[place // count % len(_DASHES)],
        "markersize": 4.5,
        "linewidth": 1.6,
    }


def plot_curves(
    curves: Mapping[str, Sequence[Mapping[str, Any]]], *, title: str = "Explainers at equal densities"
) -> Figure:
    """The metrics that have a panel (see :data:`jaxpath.metrics.METRICS`) against density.

    Args:
        curves: Explainer -> rows with ``density`` and these metrics by name, as
            :func:`jaxpath.metrics.density_curve` gives them; one line each. Where a row has
            ``NAME_runs_low`` and ``NAME_runs_high``, the range is shaded.
        title: Heading.
    """
    shown = {metric.name: metric.label for metric in METRICS if metric.panel}
    figure = Figure(figsize=(1.7 + 3.6 * len(shown), 4.2), layout="constrained")
    panels = figure.subplots(1, len(shown), sharex=True)
    for panel, (metric, label) in zip(panels, shown.items(), strict=True):
        for place, (name, rows) in enumerate(curves.items()):
            densities = [row["density"] for row in rows]
            style = _style(place)
            panel.plot(densities, [row[metric] for row in rows], label=literal(name), **style)
            if all(f"{metric}_runs_low" in row for row in rows):
                low, high = ([row[f"{metric}_runs_{end}"] for row in rows] for end in ("low", "high"))
                panel.fill_between(densities, low, high, color=style["color"], alpha=0.2, linewidth=0)
        panel.set_title(label, fontsize=TEXT, color=INK, loc="left")
        panel.set_xlabel("share of open neurons", fontsize=TEXT, color=MUTED)
        panel.set_ylim(-0.03, 1.03)
        panel.set_xlim(0, 1)
        _plain(panel, size=SMALL)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", fontsize=TEXT, frameon=False)
    parts.title(figure, title)
    return figure


def plot_times(
    times: Mapping[str, Mapping[str, float]], *, title: str = "Time to a pathway, per image"
) -> Figure:
    """Milliseconds per image of each explainer, on a logarithmic axis, one mark per batch size.

    Args:
        times: Explainer -> batch size -> milliseconds per image.
        title: Heading.
    """
    figure = Figure(figsize=(7.5, 1.2 + 0.34 * len(times)), layout="constrained")
    panel = figure.subplots()
    sizes = list(dict.fromkeys(size for row in times.values() for size in row))
    for place, size in enumerate(sizes):
        panel.plot(
            [row[size] for row in times.values()],
            range(len(times)),
            linestyle="none",
            marker=_MARKERS[place],
            color=SERIES[place],
            label=f"batch of {size}" if size != "1" else "one image",
        )
    panel.set_xscale("log")
    panel.set_yticks(range(len(times)), [literal(name) for name in times])
    panel.invert_yaxis()
    panel.set_xlabel("ms per image", fontsize=TEXT, color=MUTED)
    _plain(panel, size=TEXT)
    panel.legend(fontsize=TEXT, frameon=False)
    parts.title(figure, title)
    return figure


def plot_cascade(
    stages: Mapping[str, Sequence[Mapping[str, Any]]],
    *,
    chance: float,
    title: str = "Pathways while the target is re-initialised from the top",
) -> Figure:
    """What is left of the pathways at each stage of a cascading randomisation, one line per explainer.

    Args:
        stages: Explainer -> rows with ``stage``, ``iou`` and ``spearman``, from the top of the target down,
            the same stages for all; see :func:`jaxpath.metrics.cascading_randomization`.
        chance: IoU of random masks of the same density.
        title: Heading.
    """
    figure = Figure(figsize=(11, 4.6), layout="constrained")
    panels = figure.subplots(1, 2, sharex=True)
    names = [row["stage"] for row in next(iter(stages.values()))]
    for panel, (metric, label) in zip(
        panels, {"iou": "overlap (IoU)", "spearman": "rank correlation of the scores"}.items(), strict=True
    ):
        for place, (name, rows) in enumerate(stages.items()):
            panel.plot(range(len(rows)), [row[metric] for row in rows], label=literal(name), **_style(place))
        level = chance if metric == "iou" else 0.0
        panel.axhline(level, color=MUTED, linewidth=0.9, linestyle=":", label="random masks")
        panel.set_title(label, fontsize=TEXT, color=INK, loc="left")
        panel.set_xticks(range(len(names)), [literal(name) for name in names], rotation=90)
        _plain(panel, size=SMALL)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside right center", fontsize=TEXT, frameon=False)
    parts.title(figure, title)
    return figure


def _plain(panel: Axes, *, size: float) -> None:
    """Quiet ticks of this size, a light grid, no frame at the top and right."""
    panel.tick_params(labelsize=size, colors=MUTED)
    panel.grid(color="#e9ecef", linewidth=0.8)
    for side in ("top", "right"):
        panel.spines[side].set_visible(False)
