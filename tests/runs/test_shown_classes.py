"""Which classes and images the figures of a run show."""

import numpy as np

from jaxpath.report import most_frequent
from jaxpath.runs.results import one_per_class

CLASSES = np.array([7, 7, 2, 5, 5, 5, 9, 2, 2, 2])
"""Class 2 four times, 5 three times, 7 twice and 9 once."""


def test_the_classes_with_the_most_images_are_shown_in_their_order():
    assert most_frequent(np.bincount(CLASSES), limit=3).tolist() == [2, 5, 7]
    assert most_frequent(np.bincount(CLASSES), limit=2).tolist() == [2, 5]
    assert most_frequent(np.bincount(CLASSES), limit=9).tolist() == [2, 5, 7, 9]


def test_of_equally_frequent_classes_the_first_are_shown():
    assert most_frequent(np.bincount([3, 1, 2, 0]), limit=2).tolist() == [0, 1]


def test_each_of_them_shows_its_first_image():
    assert one_per_class(CLASSES, limit=3).tolist() == [2, 3, 0]
    assert CLASSES[one_per_class(CLASSES, limit=9)].tolist() == [2, 5, 7, 9]
