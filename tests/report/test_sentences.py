"""What is said about figures that were made up for it."""

import numpy as np
import pytest
from made_up import data_set, finding

from jaxpath.findings import Confidence, Leakage
from jaxpath.report import Names, caveats, left_out_caveats, left_out_sentence, warning_caveats
from jaxpath.report.sentences import data_set_caveats, data_set_facts

NAMES = Names(("dog", "cat"))


def leak(share, probability, *, blank=0.0, num=16):
    return Leakage(blank, float(blank > 0.5), num, probability, share, (), ())


def said(**changes):
    values = {"leakage": leak(0.0, 0.0)} | changes
    return {caveat.title: caveat for caveat in caveats(finding(**values), NAMES)}


@pytest.mark.parametrize(
    ("share", "probability", "level", "title"),
    [
        (1.0, 0.97, "bad", "This pathway turns pictures of other classes into “cat”: 0.97"),
        (0.125, 0.13, "note", "This pathway turns some pictures of other classes into “cat”: 0.13"),
        (0.0, 0.02, "good", "This pathway does not turn pictures of other classes into “cat”: 0.02"),
    ],
)
def test_leakage_is_said_in_plain_words(share, probability, level, title):
    points = said(leakage=leak(share, probability))
    assert points[title].level == level
    assert f"{round(16 * share)} of them came out as “cat”" in points[title].text


def test_without_a_reference_pictures_of_nothing_alone_tell():
    points = said(leakage=leak(float("nan"), float("nan"), blank=0.8, num=0))
    assert [caveat.level for title, caveat in points.items() if "nothing into" in title] == ["bad"]
    assert not any("other classes" in title for title in points)


def test_a_pathway_that_works_by_constants_is_told():
    title = "Nothing of the picture reaches the decision through this pathway"
    silent = np.stack([np.ones((40, 40)), np.zeros((40, 40))])
    assert said(saliency=silent)[title].level == "bad"
    assert title not in said()


def test_a_pathway_of_another_class_does_not_carry_the_decision():
    caveat = said(masked_predicted=0)["The pathway does not carry this decision"]
    assert caveat.level == "bad" and "“dog”" in caveat.text


def test_random_channels_that_do_as_well_and_decisions_that_stand_without_the_pathway_are_told():
    title = "Random channels do nearly as well"
    assert said(confidence=Confidence(0.8, 0.9, 0.0, 0.45, None))[title].level == "bad"
    assert said(confidence=Confidence(0.8, 0.9, 0.4, 0.0, None))["The decision stands without the pathway"]
    good = said(confidence=Confidence(0.8, 0.9, 0.1, 0.2, None))
    assert good["It takes these channels"].level == "good" and title not in good


def test_unsure_classifiers_and_silent_channels_are_told():
    assert "The classifier is not sure" in said(confidence=Confidence(0.4, 0.9, 0.0, 0.0, None))
    assert "25 % of the open channels are silent here" in said(dead_share=0.25)


def test_the_worst_comes_first():
    levels = [caveat.level for caveat in said(masked_predicted=0, dead_share=0.5).values()]
    assert levels == sorted(levels, key=["bad", "note", "good"].index) and len(set(levels)) == 3


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
        ("92 %", "of the images are classified rightly by the whole network"),
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
