import numpy as np
import pytest

from jaxpath import discover
from jaxpath.types import InputError


def test_ranks_of_the_true_concepts_are_counted_by_hand():
    scores = np.array([[9.0, 1, 2, 0, 0, 0, 0], [1, 7, 6, 5, 4, 3, 2], [0, 3, 1, 2, 0, 0, 0]])
    found = discover.name_recovery(scores, np.array([0, 0, 3]))
    # Ranks 1, 7 and 2. The right unit scores 9, the wrong ones 7 and 3.
    assert found["top1"] == pytest.approx(1 / 3) and found["top5"] == pytest.approx(2 / 3)
    assert (found["mean_rank"], found["median_rank"], found["auc"]) == (pytest.approx(10 / 3), 2, 1)
    found = discover.name_recovery(scores, np.array([1, 1, 3]))
    assert found["auc"] == pytest.approx(0.5)  # 7 beats 3 and loses to 9
    assert np.isnan(discover.name_recovery(scores, np.array([0, 1, 1]))["auc"])


def test_cosines_of_names_are_of_matched_pairs():
    predicted, true = np.array([[2.0, 0], [0, 1]]), np.array([[1.0, 0], [3, 4]])
    assert discover.paired_cosine(predicted, true) == pytest.approx(0.9)


def test_a_concept_that_is_not_there_is_one_sentence():
    with pytest.raises(InputError, match=r"\(2, 3\).*numbers below M"):
        discover.name_recovery(np.zeros((2, 3)), np.array([0, 3]))
