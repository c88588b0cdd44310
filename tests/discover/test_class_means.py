"""Words where the pictures of their classes are: hand-checked directions, and words that say nothing."""

import numpy as np
import pytest

from jaxpath import discover
from jaxpath.types import InputError

LEARNED = np.array([[2.0, 1.0], [4.0, 1.0], [1.0, 4.0], [1.0, 2.0], [-3.0, -3.0]])
"""Relative to their mean (1, 1): twice along x, twice along y, and once against both."""

LABELS = np.array([0, 0, 1, 1, 2])


def embed(**changes):
    return discover.class_mean_embeddings(
        np.array([[5.0, 1.0], [0.0, 0.0]]), LEARNED, LABELS, ("right", "up", "down", "unseen"), **changes
    )


def test_words_and_pictures_are_directions_from_the_mean_of_what_is_learned_from():
    embeddings = embed(groups={"not down": ["right", "up"]})
    assert embeddings.concepts == ("right", "up", "down", "not down")
    assert embeddings.left_out == ("unseen",)
    half = np.sqrt(0.5)
    np.testing.assert_allclose(embeddings.texts, [[1, 0], [0, 1], [-half, -half], [half, half]], atol=1e-7)
    np.testing.assert_allclose(embeddings.images, [[1, 0], [-half, -half]], atol=1e-7)


def test_a_classs_picture_counts_by_its_direction_and_not_by_its_length():
    learned = np.array([[1.0, 0.0], [0.0, 9.0], [-1.0, -9.0]])
    embeddings = discover.class_mean_embeddings(learned[:1], learned, np.array([0, 0, 1]), ("a", "b"))
    np.testing.assert_allclose(embeddings.texts[0], [np.sqrt(0.5), np.sqrt(0.5)], atol=1e-7)


@pytest.mark.parametrize(
    ("groups", "message"),
    [
        ({"arrow": ["left"]}, r"'arrow' was given the classes \['left'\]"),
        ({"arrow": ["unseen"]}, r"classes that have pictures, such as right, up, down"),
        ({"arrow": []}, "'arrow' was given no class"),
        ({"up": ["down"]}, "'up' was given a class's name"),
    ],
)
def test_a_word_of_nothing_is_refused(groups, message):
    with pytest.raises(InputError, match=message):
        embed(groups=groups)
