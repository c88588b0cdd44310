"""Limits of figures."""

import pytest

from jaxpath.cli.limits import beyond, end_beyond, read_limit
from jaxpath.types import InputError

SUMMARY = {
    "pictures": 12,
    "weak": 0.5,
    "zero": {"leakage": 0.98, "alone": 1.0},
    "mean": {"leakage": 0.0, "alone": float("nan")},
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("leakage>0.5", ["zero.leakage is 0.98, and > 0.5 fails"]),
        ("mean.leakage > .5", []),
        ("leakage<1e-3", ["mean.leakage is 0, and < 0.001 fails"]),
        ("weak>=0.5", ["weak is 0.5, and >= 0.5 fails"]),
        ("pictures<=11", []),
        # What was not measured under one ablation is no failure under the other.
        ("alone<0.9", []),
    ],
)
def test_a_name_without_an_ablation_is_the_figure_under_any(text, expected):
    assert beyond(read_limit(text), SUMMARY) == expected


@pytest.mark.parametrize("text", ["leakage", "leakage=0.5", "leakage>half", ">0.5", "leakage>>0.5", ""])
def test_what_is_no_limit_is_told_with_an_example(text):
    with pytest.raises(InputError, match=r'expected a figure .* such as "leakage>0.5"'):
        read_limit(text)


def test_unknown_and_unmeasured_figures_are_told_and_a_limit_ends_with_status_3(capsys):
    with pytest.raises(InputError, match="no figure of the summary; choose one of alone, leakage, pictures"):
        beyond(read_limit("leak>0.5"), SUMMARY)
    with pytest.raises(InputError, match=r"'mean.alone', which was not measured"):
        beyond(read_limit("mean.alone>0.5"), SUMMARY)
    end_beyond(["weak>0.9"], SUMMARY)
    with pytest.raises(SystemExit) as end:
        end_beyond(["weak>0.1", "leakage>0.5"], SUMMARY)
    assert end.value.code == 3
    assert capsys.readouterr().err.splitlines() == [
        "beyond the limit: weak is 0.5, and > 0.1 fails",
        "beyond the limit: zero.leakage is 0.98, and > 0.5 fails",
    ]
