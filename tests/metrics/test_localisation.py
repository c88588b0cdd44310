"""Maps against true regions: hand-checked values, and scikit-learn's average precision."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from jaxpath import metrics
from jaxpath.types import InputError

MAP = np.array([[[0.5, 0.2, 0.0], [0.9, -3.0, 0.4]]])
MASK = np.array([[[1, 1, 0], [0, 1, 0]]])


def test_the_largest_value_lies_in_the_region_or_not():
    assert metrics.pointing_game(MAP, MASK).tolist() == [0]
    assert metrics.pointing_game(MAP * [[[1, 1, 1], [0, 1, 1]]], MASK).tolist() == [1]
    np.testing.assert_allclose(metrics.pointing_game(np.zeros_like(MAP), MASK), [0.5])


def test_the_pointing_game_does_not_depend_on_rounding():
    """A plateau that rounding has roughened, and the same map in other units."""
    rng = np.random.default_rng(0)
    mask = (np.arange(64).reshape(1, 8, 8) < 16).astype(np.float32)
    flat = np.full((1, 8, 8), 0.3, np.float32)
    rough = np.where(rng.random((1, 8, 8)) < 0.5, np.nextafter(flat, np.float32(1)), flat)
    assert metrics.pointing_game(rough, mask).tolist() == [0.25]
    for scale in (1e-12, 0.1, 3.0, 7e5):
        assert metrics.pointing_game(rough * np.float32(scale), mask).tolist() == [0.25]
    higher = rough.copy()
    higher[0, 7, 7] *= 1.00001
    assert metrics.pointing_game(higher, mask).tolist() == [0]
    assert metrics.pointing_game(-np.abs(rough), mask).tolist() == [0.25]


def test_the_energy_counts_what_is_above_0():
    np.testing.assert_allclose(metrics.energy_in_mask(MAP, MASK), [0.7 / 2.0], rtol=1e-6)
    assert metrics.energy_in_mask(-np.abs(MAP), MASK).tolist() == [0]


def test_overlap_at_one_threshold_and_at_the_best():
    score = metrics.overlap_at(MAP, MASK, 0.3)
    # Marked: 0.5, 0.9, 0.4; one of them in the region of three.
    np.testing.assert_allclose([part[0] for part in score], [1 / 5, 1 / 3, 1 / 3], rtol=1e-6)
    nothing = metrics.overlap_at(MAP, MASK, 1.0)
    assert [float(part[0]) for part in nothing] == [0, 1, 0]
    # From 0.9 down: IoU 0/4, 1/4, 1/5, 2/5, 2/6, and 3/6 for everything.
    best = metrics.best_overlap(MAP, MASK)
    np.testing.assert_allclose([part[0] for part in best], [1 / 2, 1 / 2, 1], rtol=1e-6)


def test_average_precision_is_scikit_learns_also_with_ties():
    rng = np.random.default_rng(0)
    maps = rng.integers(0, 5, (4, 5, 6)).astype(np.float32)
    masks = rng.integers(0, 2, (4, 5, 6))
    score = jax.jit(metrics.average_precision)(maps, masks)
    expected = [average_precision_score(m.ravel(), v.ravel()) for v, m in zip(maps, masks, strict=True)]
    np.testing.assert_allclose(score, expected, rtol=1e-5)


def test_boxes_become_masks():
    masks = metrics.boxes_to_masks(jnp.array([[0, 1, 2, 3], [1, 0, 2, 1]]), (3, 4))
    assert masks.shape == (2, 3, 4)
    np.testing.assert_array_equal(masks[0], [[0, 1, 1, 0], [0, 1, 1, 0], [0, 0, 0, 0]])
    assert masks[1].sum() == masks[1, 1, 0] == 1


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(InputError, match="enlarge"):
        metrics.energy_in_mask(MAP, MASK[:, :1])
    with pytest.raises(InputError, match="top, left, bottom, right"):
        metrics.boxes_to_masks(jnp.zeros((2, 3)), (3, 4))
