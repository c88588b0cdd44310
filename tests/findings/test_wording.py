"""Pathways in words, counted by hand."""

import numpy as np

from jaxpath.findings import (
    ClassPathways,
    WordShare,
    compare_words,
    describe_classes,
    flat_words,
    words_of,
)
from jaxpath.types import Site

SITES = (Site("000.a", 3, (4, 4)), Site("001.b", 4, None))
WORDS = {"000.a": {0: "fur", 1: "sky"}, "001.b": {0: "fur", 1: "fur", 3: "wheel"}}
FLAT = flat_words(WORDS, SITES)


def test_words_lie_in_forward_order():
    assert FLAT.tolist() == ["fur", "sky", "", "fur", "fur", "", "wheel"]


def test_a_word_counts_by_what_is_opened_more_than_usual():
    kept = np.array([1, 1, 1, 1, 0, 0, 1], bool)
    usual = np.array([0.9, 0.1, 0, 0.9, 0.9, 0, 0.5])
    # fur 2 - 2.7, sky 0.9, wheel 0.5
    assert words_of(kept, FLAT, usual=usual) == (WordShare("sky", 1, 1), WordShare("wheel", 1, 1))
    assert words_of(kept, FLAT, usual=0.5) == (
        *(WordShare("fur", 2, 3), WordShare("sky", 1, 1), WordShare("wheel", 1, 1)),
    )
    assert words_of(kept, FLAT, usual=0.5, most=1) == (WordShare("fur", 2, 3),)


def test_two_pathways_are_compared_channel_by_channel():
    first = np.array([1, 1, 1, 1, 0, 0, 0], bool)
    second = np.array([1, 0, 0, 0, 1, 0, 1], bool)
    compared = compare_words(first, second, FLAT)
    assert compared.both == (WordShare("fur", 1, 3),)
    assert set(compared.first) == {WordShare("fur", 1, 3), WordShare("sky", 1, 1)}
    assert set(compared.second) == {WordShare("fur", 1, 3), WordShare("wheel", 1, 1)}


def test_classes_are_described_beside_the_nearest_one():
    frequencies = np.array(
        [[1, 1, 0, 0, 0, 0, 0.2], [1, 0, 0, 1, 1, 0, 0.6], [np.nan] * 7, [1, 0, 0, 1, 0, 0, 1]]
    )
    learned = ClassPathways(frequencies, np.array([3, 5, 0, 4]), 0.5, (), "by hand")
    cat, car, plane = describe_classes(learned, WORDS, SITES)
    assert [one.label for one in (cat, car, plane)] == [0, 1, 3]
    assert cat.words == (WordShare("sky", 1, 1),)
    assert car.words[0] == WordShare("fur", 3, 3)
    assert plane.words == (WordShare("wheel", 1, 1),)
    assert (car.nearest, plane.nearest) == (3, 1) and car.iou == 0.75
    assert car.beside.first == (WordShare("fur", 1, 3),) and car.beside.second == ()
    (alone,) = describe_classes(ClassPathways(frequencies[:1], np.array([3]), 0.5, (), ""), WORDS, SITES)
    assert alone.nearest is None and alone.beside is None and alone.words[0].word == "sky"
