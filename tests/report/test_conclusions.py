"""What is said about a picture, on figures that were made up for it."""

import numpy as np
import pytest
from made_up import N, assessment, control, controls, finding

from jaxpath.findings import VERDICTS, Control
from jaxpath.report import Names, caveats, label_of, verdict, verdict_of_many
from jaxpath.report.conclusions import control_rows, in_short

NAMES = Names(("dog", "cat"))
SWITCH = controls(alone=1.0, closed=0.0, random_closed=0.0, other_pictures=0.98, blank_pictures=0.96)
"""As a ResNet-18 has them at a density of 20 %, with closed channels at 0."""

ABSENT = controls(alone=0.0, closed=0.0, random_closed=0.1)
"""The same, with closed channels at their mean."""


def said(under, **changes):
    return verdict(assessment(under, **changes), NAMES)


def test_a_decision_that_is_carried_is_told_with_what_supports_it():
    sentence = said({"zero": controls()})
    assert sentence.startswith(
        "The classifier says “cat” with probability 0.75. These channels carry this decision."
    )
    assert "With only the pathway open (1.9 % of its channels) it still says “cat”, at 0.90" in sentence
    assert "with exactly these closed 0.05, with as many random ones closed 0.60 [0.55, 0.65]" in sentence
    assert "other pictures and blank images do not become it (0.02)" in sentence and "weak" not in sentence


def test_a_switch_names_the_class_and_is_weak_where_the_mean_says_otherwise():
    sentence = said({"zero": SWITCH, "mean": ABSENT}, clean=0.3)
    assert (
        "it still says “cat”, at 1.00. But so do blank images (0.96) and pictures of other classes"
        in sentence
    )
    assert "names the channels of “cat” and is no evidence about this picture" in sentence
    assert "This is weak: it rests on closed channels at 0; with closed channels at their mean" in sentence
    assert "surer than the whole network, 1.00 against 0.30" in sentence


def test_where_the_share_counts_it_is_told():
    half = control(0.4, share=0.5, runs=4)
    sentence = said({"zero": controls()._replace(blank_pictures=half)})
    assert "But so do 50 % of blank images (0.40): the pathway" in sentence


def test_what_is_not_enough_says_what_comes_out_instead():
    sentence = said({"zero": ABSENT}, alone_predicted=0)
    assert (
        "not enough: with only the pathway open (1.9 % of its channels) it says “dog” and gives “cat” 0.00"
        in sentence
    )
    no_better = said({"zero": controls(random_alone=0.85)})
    assert "gives “cat” 0.90, and with as many random ones 0.85 [0.80, 0.90]" in no_better


def test_a_decision_that_is_not_shown_to_need_the_channels_is_not_called_carried():
    sentence = said({"zero": controls(random_closed=0.05)})
    assert "But the decision is not shown to need these channels: with exactly these closed 0.05" in sentence


def test_a_decision_that_is_carried_under_one_ablation_alone_is_weak():
    sentence = said({"zero": controls(), "mean": ABSENT})
    assert "But not under every ablation. This is weak" in sentence and "carry this decision" not in sentence


def test_questions_are_answered_by_name():
    other = said({"zero": controls()}, predicted=0, probability=0.6)
    assert "says “dog” with probability 0.60. It gives “cat” 0.75." in other
    rather = said({"zero": controls()}, against=0, clean=0.8)
    assert "“cat” rather than “dog” has 0.80 among these two." in rather
    assert "it still says “cat” rather than “dog”, at 0.90" in rather


@pytest.mark.parametrize("name", VERDICTS)
def test_every_verdict_has_a_few_words_for_a_table(name):
    assert label_of(name, weak=True) == f"{label_of(name)} (weak)" and len(label_of(name)) < 50


def test_many_pictures_are_counted():
    many = [
        assessment(),
        assessment({"zero": SWITCH, "mean": ABSENT}),
        assessment({"zero": ABSENT, "mean": ABSENT}),
    ]
    assert verdict_of_many(many) == (
        "Of 3 pathways that were put to the test, 1 carry the decision of their picture, 1 name the class "
        "and are no evidence about the picture, and 1 are not enough even alone. 1 of these conclusions are "
        "weak: ablations disagree."
    )


def test_a_pathway_that_is_no_switch_and_not_needed_is_not_called_one():
    kept = assessment({"zero": controls(random_closed=0.05)})
    assert not kept.judgement.switch
    assert in_short(kept.judgement) == "no switch, but not shown to carry this decision"
    assert "1 are no switch for the class, but not shown to carry the decision, and 0 are not enough" in (
        verdict_of_many([kept, assessment({"zero": SWITCH})])
    )
    assert verdict_of_many([kept]).startswith(
        "Of 1 pathway that was put to the test, 0 carry the decision of their picture, 0 name the class"
    )
    for switch in ({"zero": SWITCH}, {"zero": SWITCH, "mean": ABSENT}):
        assert in_short(assessment(switch).judgement).startswith("names the class")


def points(under=None, **changes):
    made = assessment(under, **{k: changes.pop(k) for k in ("probability",) if k in changes})
    return {caveat.title: caveat for caveat in caveats(finding(assessment=made, **changes), NAMES)}


def test_needing_the_channels_is_said_only_beside_as_many_random_ones_closed():
    good = points()["The decision needs these channels"]
    assert good.level == "good" and "0.60 [0.55, 0.65] (closed channels at 0)" in good.text
    # Closed, the class is gone, and so it is without as many others: ResNet-18.
    assert points({"zero": SWITCH})["The decision is not shown to need these channels"].level == "note"
    one = points({"zero": controls(), "mean": controls(random_closed=0.05)})
    assert one["The decision needs these channels, only with closed channels at 0"].level == "note"


@pytest.mark.parametrize(
    ("share", "probability", "level", "title"),
    [
        (1.0, 0.97, "bad", "The pathway turns pictures of other classes into “cat”: 0.97"),
        (0.125, 0.13, "note", "The pathway turns some pictures of other classes into “cat”: 0.13"),
        (0.0, 0.02, "good", "The pathway does not turn pictures of other classes into “cat”: 0.02"),
    ],
)
def test_leakage_is_said_in_plain_words(share, probability, level, title):
    shown = points({"zero": controls(other_pictures=control(probability, share=share, runs=16))})
    assert shown[title].level == level
    assert f"{round(16 * share)} of 16 pictures of other classes came out as “cat”" in shown[title].text


def test_without_other_pictures_blank_ones_alone_tell():
    none = Control(np.nan, np.nan, np.nan, np.nan, 0)
    shown = points({"zero": controls(other_pictures=none, blank_pictures=0.8)})
    assert shown["The pathway turns blank images into “cat”: 0.80"].level == "bad"
    assert not any("other classes" in title for title in shown)


def test_a_pathway_that_is_not_enough_is_not_praised_for_leaving_other_pictures_alone():
    shown = points({"zero": ABSENT})
    assert shown["The pathway is not enough"].level == "bad"
    assert not any("turn" in title for title in shown)
    weak = points({"zero": SWITCH, "mean": ABSENT})
    assert weak["The pathway alone is enough, only with closed channels at 0"].level == "note"
    assert weak["The pathway turns blank images into “cat”: 0.96"].level == "bad"


def test_a_pathway_that_works_by_constants_is_told():
    title = "Nothing of the picture reaches the decision through this pathway"
    silent = np.stack([np.ones((40, 40)), np.zeros((40, 40))])
    assert points(saliency=silent)[title].level == "bad"
    assert title not in points()


def test_unsure_classifiers_and_silent_channels_are_told():
    assert "The classifier is not sure" in points(probability=0.4)
    assert "25 % of the open channels are silent here" in points(dead_share=0.25)


def test_the_worst_comes_first():
    levels = [caveat.level for caveat in points({"zero": SWITCH, "mean": ABSENT}, dead_share=0.5).values()]
    assert levels == sorted(levels, key=["bad", "note", "good"].index) and len(set(levels)) > 1


def test_the_table_of_controls_has_a_row_per_control_and_a_column_per_ablation():
    rows = control_rows({"zero": SWITCH, "mean": ABSENT})
    assert [[cell.text for cell in row.cells] for row in rows][:2] == [["1.00", "0.00"], ["0.00", "0.00"]]
    assert rows[3].cells[1].interval == "[0.05, 0.15]" and rows[0].cells[0].interval == ""
    assert len(rows) == 6 and N == 107
