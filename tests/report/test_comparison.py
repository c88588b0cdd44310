import pytest

from jaxpath.metrics import METRICS
from jaxpath.report import plot_cascade, plot_curves, plot_times

SHOWN = [metric for metric in METRICS if metric.panel]


def row(density, fidelity, **more):
    others = {metric.name: 0.5 for metric in SHOWN}
    return {"density": density, **others, "fidelity": fidelity, **more}


def test_every_explainer_is_a_line_in_every_panel_with_its_range_of_runs_shaded():
    seeds = {f"{metric.name}_runs_{end}": 0.5 for metric in SHOWN for end in ("low", "high")}
    curves = {
        "random": [row(0.1, 0.2), row(0.5, 0.6)],
        "a<b_$": [row(0.1, 0.9, **seeds), row(0.5, 1.0, **seeds)],
    }
    figure = plot_curves(curves)
    panels = figure.axes
    titles = [panel.get_title(loc="left") for panel in panels]
    assert titles == [metric.label for metric in SHOWN]
    assert {"fidelity", "leakage", "mean drop of confidence"} <= set(titles)
    for panel in panels:
        assert len(panel.lines) == 2 and len(panel.collections) == 1
    fidelity = panels[titles.index("fidelity")]
    assert fidelity.lines[1].get_xydata().tolist() == [[0.1, 0.9], [0.5, 1.0]]
    assert len(figure.legends[0].get_texts()) == 2


def test_no_two_of_many_lines_look_the_same():
    figure = plot_curves({str(place): [row(0.1, 0.2), row(0.5, 0.6)] for place in range(16)})
    lines = figure.axes[0].lines
    assert len({(line.get_color(), line.get_marker(), line.get_linestyle()) for line in lines}) == 16


def test_times_stand_on_a_logarithmic_axis_in_the_order_given():
    figure = plot_times({"slow": {"1": 1000.0, "64": 100.0}, "fast": {"1": 2.0, "64": 1.0}})
    panel = figure.axes[0]
    assert panel.get_xscale() == "log"
    assert [label.get_text() for label in panel.get_yticklabels()] == ["slow", "fast"]
    assert panel.lines[0].get_xdata() == pytest.approx([1000.0, 2.0])


def test_the_cascade_is_one_line_per_explainer_over_the_same_stages_and_a_line_for_chance():
    rows = [
        {"stage": "logits", "share": 0.1, "iou": 0.5, "spearman": 0.3},
        {"stage": "002.b", "share": 1.0, "iou": 0.2, "spearman": -0.1},
    ]
    figure = plot_cascade({"one": rows, "two": rows}, chance=0.05)
    overlap, correlation = figure.axes
    assert [list(line.get_ydata()) for line in overlap.lines] == [[0.5, 0.2], [0.5, 0.2], [0.05, 0.05]]
    assert list(correlation.lines[0].get_ydata()) == [0.3, -0.1]
    assert [label.get_text() for label in overlap.get_xticklabels()] == ["logits", "002.b"]
