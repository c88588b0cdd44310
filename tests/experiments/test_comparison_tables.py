"""Rows of a comparison: runs of one name averaged, and what tables show."""

import numpy as np
import pytest

from jaxpath import metrics
from jaxpath.runs import comparison
from jaxpath.runs.comparison import scoring


def point_of(fidelity, **others):
    """A row of a curve; what is not named is 0."""
    names = metrics.metric_names(lambda metric: metric.at_densities)
    figures = {**dict.fromkeys(names, 0.0), "fidelity": fidelity, **others}
    under = {name: figures[name] for name in names if name in scoring.ABLATED}
    return {"density": 0.1, **figures, "worst_fidelity": fidelity, "ablations": {"zero": under}}


def row_of(fidelity, **others):
    """A run with one density."""
    return {
        "num_images": 4,
        "num_tried": 4,
        "insertion": 0.5,
        "deletion": 0.1,
        "curve": [point_of(fidelity, **others)],
    }


def test_runs_of_one_name_are_averaged_and_a_density_stays_what_it_was():
    rows = comparison.merge(("gen", row_of(fidelity)) for fidelity in (0.6875, 0.75, 0.8125))
    (point,) = rows["gen"]["curve"]
    assert (rows["gen"]["runs"], point["density"], point["fidelity"]) == (3, 0.1, 0.75)
    # Student's t for two degrees of freedom is 4.303; the standard error is 0.0625 / sqrt(3).
    assert point["fidelity_runs_high"] == pytest.approx(0.75 + 4.303 * 0.0625 / np.sqrt(3), abs=1e-3)
    assert point["fidelity_runs_low"] == pytest.approx(0.75 - 4.303 * 0.0625 / np.sqrt(3), abs=1e-3)


def test_an_interval_of_a_share_ends_at_0_and_1():
    rows = comparison.merge(("gen", row_of(fidelity)) for fidelity in (0.9, 1.0, 1.0))
    (point,) = rows["gen"]["curve"]
    assert 0.8 < point["fidelity_runs_low"] < 0.9 and point["fidelity_runs_high"] == 1


def test_every_metric_that_has_an_interval_gets_one_over_the_runs_and_no_other():
    rows = comparison.merge(("gen", row_of(0.5)) for _ in range(2))
    intervals = {name for name in rows["gen"]["curve"][0] if name.endswith("_runs_low")}
    expected = {"density", "worst_fidelity"}.union(
        metric.name for metric in metrics.METRICS if metric.interval and metric.at_densities
    )
    assert intervals == {f"{name}_runs_low" for name in expected}
    under = {name for name in rows["gen"]["curve"][0]["ablations"]["zero"] if name.endswith("_runs_low")}
    assert under == {f"{name}_runs_low" for name in expected & set(scoring.ABLATED)}


def test_a_cell_of_the_table_holds_the_metrics_of_the_panels_in_the_order_of_its_note():
    rows = comparison.merge([("taylor", row_of(0.75, mdc=0.125, leakage=0.5))])
    head, _, line, _, note = comparison.markdown(rows).splitlines()
    cells = dict(zip(*([cell.strip() for cell in text.split("|")] for text in (head, line)), strict=True))
    names = metrics.metric_names(lambda metric: metric.panel)
    assert dict(zip(names, cells["at 0.1"].split(" / "), strict=True)) == {
        **dict.fromkeys(names, "0.000"),
        **{"fidelity": "0.750", "mdc": "0.125", "leakage": "0.500"},
    }
    labels = " / ".join(metric.label for metric in metrics.METRICS if metric.panel)
    assert f"Cells at a density: {labels}." in note
    assert cells["insertion / deletion"] == "0.50 / 0.10"


def test_a_figure_that_does_not_exist_is_a_dash_in_the_tables():
    rows = comparison.merge([("taylor", row_of(0.75, mdc=float("nan"), selectivity=float("nan")))])
    assert "0.750 / 0.000 / - |" in comparison.markdown(rows)
    head, _, line, *_ = comparison.refutation_table(rows).splitlines()
    cells = dict(zip(*([cell.strip() for cell in text.split("|")] for text in (head, line)), strict=True))
    assert (cells["selectivity"], cells["fidelity"], cells["mean drop of confidence"]) == ("-", "0.75", "-")
