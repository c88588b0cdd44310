import numpy as np
import pytest

from jaxpath.metrics import class_similarity, pairwise_iou, random_aciou, similarity


def loop_iou(a, b):
    both, either = (a & b).sum(), (a | b).sum()
    return 1.0 if either == 0 else both / either


def loop_similarity(masks, classes, num_classes):
    matrix = np.full((num_classes, num_classes), np.nan)
    for k in range(num_classes):
        for m in range(num_classes):
            pairs = [
                loop_iou(masks[i], masks[j])
                for i in np.flatnonzero(classes == k)
                for j in np.flatnonzero(classes == m)
                if i != j
            ]
            if pairs:
                matrix[k, m] = np.mean(pairs)
    return matrix


@pytest.fixture
def case():
    rng = np.random.default_rng(0)
    # Class 4 is absent, class 3 has a single image; some masks are empty.
    classes = np.concatenate([rng.integers(0, 3, 30), [3]])
    masks = rng.random((31, 12)) < rng.random((31, 1))
    masks[[2, 5, 9]] = False
    return masks, classes


def test_all_pairs_agree_with_loops(case, monkeypatch):
    masks, classes = case
    expected = loop_similarity(masks, classes, 5)
    for block in (2048, 7):  # in one block, and in blocks of which the last is smaller
        monkeypatch.setattr(similarity, "_BLOCK", block)
        result = class_similarity(masks, classes, 5)
        np.testing.assert_allclose(result.matrix, expected, rtol=1e-6)
        assert result.aciou == pytest.approx(np.mean([expected[k, k] for k in range(3)]))


def test_the_mean_between_classes_counts_every_pair_of_images_once(case):
    masks, classes = case
    pairs = [loop_iou(masks[i], masks[j]) for i in range(31) for j in range(31) if classes[i] != classes[j]]
    assert class_similarity(masks, classes, 5).between_iou == pytest.approx(np.mean(pairs))


def test_pairwise_iou_by_hand():
    a = np.array([[1, 1, 0, 0], [0, 0, 0, 0]], np.float32)
    b = np.array([[1, 0, 1, 0], [0, 0, 0, 0], [1, 1, 0, 0]], np.float32)
    np.testing.assert_allclose(pairwise_iou(a, b), [[1 / 3, 0, 1], [0, 1, 0]])


@pytest.mark.parametrize("density", [0.1, 0.5, 0.9])
def test_random_masks_have_the_overlap_that_chance_gives(density):
    rng = np.random.default_rng(0)
    result = class_similarity(rng.random((60, 4000)) < density, rng.integers(0, 3, 60), 3)
    assert result.aciou == pytest.approx(density / (2 - density), abs=0.01)
    assert result.between_iou == pytest.approx(random_aciou(density), abs=0.01)


def test_a_constant_mask_overlaps_fully_within_and_between():
    masks = np.tile(np.array([1, 0, 1, 0, 0], bool), (6, 1))
    result = class_similarity(masks, np.array([0, 0, 0, 1, 1, 1]), 2)
    assert (result.aciou, result.between_iou) == (1, 1)


def test_class_masks_overlap_within_and_not_between():
    classes = np.arange(9) % 3
    result = class_similarity(np.eye(3, dtype=bool)[classes], classes, 3)
    np.testing.assert_array_equal(result.matrix, np.eye(3))
    assert (result.aciou, result.between_iou) == (1, 0)


def test_no_pair_is_not_a_number():
    alone = class_similarity(np.ones((2, 3), bool), np.array([0, 1]), 2)
    assert np.isnan(alone.aciou) and alone.between_iou == 1
    together = class_similarity(np.ones((2, 3), bool), np.array([1, 1]), 2)
    assert together.aciou == 1 and np.isnan(together.between_iou)
