"""A classifier is at chance by two exact tests, of which neither says anything about a few images."""

from math import comb

import numpy as np
import pytest

from jaxpath import metrics


def images(count, right, num_classes=10):
    """Labels in turn, and predictions of which so many are right and the others the next class."""
    labels = np.arange(count) % num_classes
    return np.where(np.arange(count) < right, labels, (labels + 1) % num_classes), labels


def tail(right, count, share):
    """P(X >= right) of a binomial variable, term by term."""
    return sum(comb(count, k) * share**k * (1 - share) ** (count - k) for k in range(right, count + 1))


@pytest.mark.parametrize("count", [1, 4, 7, 12, 40, 359])
def test_the_verdict_is_that_of_two_binomial_tails(count):
    for right in range(count + 1):
        chance = metrics.against_chance(*images(count, right), 10)
        level = 1 / min(count, 10)
        assert chance.guessing == (level if count > 1 else 1 / 10)
        above = tail(right, count, chance.guessing)
        below = 1 - tail(right + 1, count, (1 + chance.guessing) / 2)
        assert chance.at_chance == (above > 0.01 and below < 0.01), (right, count)


def test_a_classifier_that_knows_nothing_is_found_and_a_poor_one_is_not():
    assert metrics.chance_warnings(*images(359, 36), 10) != []
    assert metrics.chance_warnings(*images(359, 0), 10) != []
    assert metrics.chance_warnings(*images(359, 72), 10) == []
    (sentence,) = metrics.chance_warnings(*images(359, 36), 10, who="resnet8")
    assert sentence.startswith("resnet8 is no better than guessing: 36 of 359 labelled images")
    assert "(0.100)" in sentence and "10 classes gives 0.100" in sentence
    assert all(cause in sentence for cause in ("order of the classes", "preprocessing", "image size"))


@pytest.mark.parametrize(("count", "num_classes"), [(1, 10), (3, 2), (3, 3), (5, 10)])
def test_a_few_images_say_nothing(count, num_classes):
    """Of five images of five classes all may be wrong: with an accuracy of 0.6 one time in a hundred."""
    assert metrics.chance_warnings(*images(count, 0, num_classes), 10) == []
    assert metrics.chance_warnings(*images(count + 2, 0, num_classes), 10) != [] or count == 1


def test_guessing_is_among_the_classes_that_occur():
    """Of a thousand classes two occur: 52 of 100 are chance, though a thousandth would be far less."""
    predicted, labels = images(100, 52, num_classes=2)
    chance = metrics.against_chance(predicted * 400, labels * 400, 1000)
    assert chance.guessing == 0.5 and chance.at_chance and chance.num_right == 52


def test_images_of_one_class_are_set_beside_all_classes():
    labels = np.full(50, 7)
    assert metrics.against_chance(labels, labels, 1000).guessing == 1 / 1000
    assert metrics.chance_warnings(labels, labels, 1000) == []
    assert metrics.chance_warnings(labels + 1, labels, 1000) != []


def test_one_answer_for_everything_is_no_knowledge_however_common_the_class_is():
    labels = np.repeat([0, 1], [800, 200])
    chance = metrics.against_chance(np.zeros(1000, int), labels, 2)
    assert chance.constant and chance.at_chance and chance.guessing == 0.8
    assert "one class for all" in chance.sentence()
    few = np.where(np.arange(1000) % 2 == 0, labels, 0)
    assert metrics.chance_warnings(few, labels, 2) == []


def test_images_without_a_class_are_left_out():
    predicted, labels = images(60, 60)
    unknown = np.where(np.arange(60) < 30, labels, -1)
    assert metrics.against_chance(predicted, unknown, 10).num_images == 30
    assert metrics.against_chance(predicted, np.full(60, -1), 10) is None
    assert metrics.chance_warnings(predicted, np.full(60, -1), 10) == []
