"""What is said about figures that were made up for it."""

import pytest
from made_up import data_set

from jaxpath.report import Names, left_out_caveats, left_out_sentence, warning_caveats
from jaxpath.report.sentences import ablation_rows, data_set_caveats, data_set_facts

NAMES = Names(("dog", "cat"))


def test_a_class_without_a_name_is_its_number():
    assert [NAMES(0), NAMES(7), Names(("  ",))(0), Names(("a\n b",))(0)] == [
        "dog",
        "class 7",
        "class 0",
        "a b",
    ]


def test_a_data_set_begins_with_the_figures_that_exist_and_says_what_they_mean():
    figures = {
        "target_accuracy": 0.915,
        "fidelity": 1.0,
        "density": 0.072,
        "density_std": 0.0123,
        "aciou": 0.5,
        "between_iou": float("nan"),
        "random_aciou": 0.0374,
        "leakage": float("nan"),
    }
    assert data_set_facts(figures) == [
        ("92 %", "of the images are classified correctly by the whole network"),
        ("100 %", "keep their class with the pathway alone (fidelity)"),
        ("7.2 %", "of the channels are open (density; ± 1.2 % over images)"),
        ("0.50", "overlap (IoU) within a class; - between classes, 0.04 at random"),
    ]
    leaking = data_set_facts({**figures, "aciou": float("nan"), "leakage": 0.25})
    assert [fact.figure for fact in leaking] == ["92 %", "100 %", "25 %", "7.2 %"]


def test_a_data_set_that_leaks_and_collapses_is_told_so_and_a_good_one_is_not():
    pathways = data_set(40)
    assert [caveat.level for caveat in data_set_caveats(pathways)] == ["bad", "note", "note"]
    fine = {**pathways.metrics, "leakage": 0.05, "iou_gap": 0.4, "collapsed_sites": []}
    assert [caveat.level for caveat in data_set_caveats(pathways._replace(metrics=fine))] == ["good"]
    poor = {**fine, "fidelity": 0.5, "leakage": float("nan")}
    (caveat,) = data_set_caveats(pathways._replace(metrics=poor))
    assert caveat.title == "50 % of the pathways do not carry their decision"


def test_a_warning_becomes_the_first_caveat_in_two_parts():
    (caveat,) = warning_caveats(["the classifier is no better than guessing: 7 of 400 images"])
    assert caveat == ("bad", "The classifier is no better than guessing", "7 of 400 images.")


@pytest.mark.parametrize(
    ("count", "words"),
    [(1, "1 class of which"), (10, "10 classes of which"), (12, "c8, c9 and 2 more")],
)
def test_classes_without_pictures_are_counted_and_named_up_to_ten(count, words):
    names = [f"c{i}" for i in range(count)]
    assert words in left_out_sentence(names) and left_out_caveats(names)[0].level == "note"
    assert left_out_caveats([]) == []


def test_figures_that_depend_on_what_closed_channels_hold_stand_side_by_side():
    rows = ablation_rows({"zero": {"fidelity": 1.0, "aciou": 0.5}, "mean": {"fidelity": 0.25}})
    assert rows == [("fidelity", ["1.00", "0.25"])]
