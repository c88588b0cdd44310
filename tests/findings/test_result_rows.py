"""Figures over pictures, worked out by hand."""

import math

import numpy as np
import pytest

from jaxpath.findings import Assessment, Control, Controls, Measured, as_csv, judge, picture_rows, summarise
from jaxpath.findings.results import flatten


def once(probability):
    return Control(probability, float(probability >= 0.5), probability, probability, 1)


NONE = Control(math.nan, math.nan, math.nan, math.nan, 0)


def assessment(alone, others, density, *, against=None):
    controls = Controls(once(alone), once(0.0), once(0.1), once(0.6), others, once(0.2))
    measured = Measured({"zero": controls}, np.zeros(0, int), np.zeros(0))
    judgement = judge(measured.controls, 0.75)
    return Assessment("a.png", -1, 1, 0.75, 2, against, 0.75, density, 1, measured, judgement)


PICTURES = [
    assessment(0.9, Control(0.1, 0.0, 0.1, 0.1, 4), 0.2),
    assessment(0.8, Control(0.7, 0.75, 0.7, 0.7, 4), 0.2),
    assessment(0.3, NONE, 0.5),
    assessment(0.9, NONE, 0.3),
]


def test_a_summary_is_the_mean_of_what_was_measured():
    summary = summarise(PICTURES)
    assert summary["pictures"] == 4 and summary["density"] == pytest.approx(0.3)
    assert (summary["carries_this_decision"], summary["names_the_class"], summary["not_enough"]) == (
        0.5,
        0.25,
        0.25,
    )
    assert summary["weak"] == 0 and summary["surer_than_network"] == 0.5 and summary["switch"] == 0.25
    zero = summary["zero"]
    assert zero["alone"] == pytest.approx(0.725) and zero["fidelity"] == 0.75
    assert zero["other_pictures"] == pytest.approx(0.4) and zero["leakage"] == pytest.approx(0.375)
    assert zero["needed"] == 1 and zero["enough"] == 0.75 and zero["blank_acceptance"] == 0
    assert summarise([]) == {"pictures": 0}
    assert math.isnan(summarise(PICTURES[2:])["zero"]["leakage"])


def test_rows_name_classes_and_what_was_not_measured_is_empty():
    rows = picture_rows(
        [*PICTURES[:1], assessment(0.9, NONE, 0.3, against=0)], lambda label: f"class {label}"
    )
    assert [rows[0][name] for name in ("predicted_name", "class_name", "against_name")] == [
        "class 1",
        "class 2",
        None,
    ]
    assert rows[1]["against_name"] == "class 0" and rows[0]["label"] is None
    header, first, second = as_csv(rows).splitlines()
    columns = header.split(",")
    at = columns.index("zero.other_pictures")
    assert first.split(",")[at] == "0.1" and second.split(",")[at] == ""
    assert set(flatten(rows[0])) <= set(columns)
