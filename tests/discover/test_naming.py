"""Words of units: dead ones have none, and an image is described by who won, not by the largest value."""

import numpy as np
import pytest

from jaxpath import discover
from jaxpath.targets import lwta_argmax, winner_mask
from jaxpath.types import InputError


def test_a_unit_is_named_after_its_best_concept_unless_it_is_dead():
    scores = np.array([[1.0, 3.0], [2.0, -1.0], [0.0, 1.0], [np.nan, np.nan]])
    acts = np.array([[0.0, 1.0, 5.0, 1.0], [2.0, 0.0, 5.0, 0.0]])
    names = discover.name_units(scores, acts, ["fur", "wheel"])
    assert names.words == ("wheel", "fur", "", "")
    assert names.valid.tolist() == [True, True, False, False]
    np.testing.assert_array_equal(names.score, [3, 2, 1, np.nan])


def test_a_unit_that_two_concepts_describe_equally_well_has_no_name():
    acts = np.random.default_rng(0).random((5, 4))
    scores = np.array([[-2.0, -2.0, -3.0], [-2.0, -2.000001, -3.0], [-2.0, -2.1, -2.1], [-3.0, -2.5, -2.5]])
    names = discover.name_units(scores, acts, ["cat", "dog", "fox"])
    assert names.words == ("", "", "cat", "") and names.num_tied == 3
    assert names.score.tolist() == [-2.0, -2.0, -2.0, -2.5]
    again = discover.name_units(scores, acts, ["cat", "cat", "cat"])
    assert again.words == ("cat",) * 4 and again.num_tied == 0


def test_rounding_does_not_bring_a_dead_unit_to_life():
    acts = np.full((6, 3), 0.3, np.float32)
    acts[2, 0] = np.nextafter(np.float32(0.3), np.float32(1))
    acts[2, 1] = 0.301
    names = discover.name_units(np.array([[1.0, 0.0]] * 3), acts, ["cat", "dog"])
    assert names.words == ("", "cat", "")


@pytest.fixture(scope="module")
def competing():
    """Units in blocks of 4 that respond to one of 12 concepts each, more than to noise."""
    rng = np.random.default_rng(0)
    texts = np.linalg.qr(rng.normal(size=(32, 12)))[0].T
    shown = np.arange(2400) % 12
    images = texts[shown] + 0.15 * rng.normal(size=(2400, 32))
    meant = np.arange(24) % 12
    h = rng.normal(size=(2400, 24)) + 3 * (shown[:, None] == meant)
    result = lwta_argmax(h.astype(np.float32), block_size=4)
    return discover.concept_matrix(images, texts), np.asarray(result.y), np.asarray(result.winners), meant


@pytest.mark.parametrize("similarity", ["soft_wpmi", "wpmi", "cosine", "cosine_cubed"])
def test_competing_units_are_named_rightly(competing, similarity):
    P, y, _, meant = competing
    assert (y != 0).mean() == 0.25
    names = discover.name_units(discover.SIMILARITIES[similarity](P, y), y, [str(c) for c in range(12)])
    assert names.index.tolist() == meant.tolist() and names.valid.all()


def test_the_largest_passed_value_is_a_losers_exactly_where_the_winner_is_negative(competing):
    _, y, winners, _ = competing
    blocks = y.reshape(-1, 6, 4)
    negative = np.take_along_axis(blocks, winners[..., None], axis=2)[..., 0] < 0
    np.testing.assert_array_equal(blocks.argmax(axis=2) != winners, negative)
    assert 0.01 < negative.mean() < 0.15


def test_an_image_is_described_by_its_winners_with_their_sign(competing):
    P, y, winners, _ = competing
    names = discover.name_units(discover.soft_wpmi(P, y), y, [f"c{c}" for c in range(12)])
    row = int(np.argmin(y.min(axis=1)))
    result = discover.describe_image(names, y[row], winners[row], block_size=4)
    units = np.flatnonzero(winner_mask(winners[row], block_size=4))
    assert len(result) == 6
    assert sorted(result) == sorted((f"c{unit % 12}", float(y[row, unit])) for unit in units)
    values = [value for _, value in result]
    assert values == sorted(values, reverse=True) and values[-1] < 0 and 0 not in values


def test_shapes_that_do_not_match_are_one_sentence():
    names = discover.UnitNames(np.zeros(4, int), np.ones(4), np.ones(4, bool), ("a",))
    with pytest.raises(InputError, match="4 units in blocks of 2"):
        discover.describe_image(names, np.ones(4), np.zeros(3, int), block_size=2)
    with pytest.raises(InputError, match="3 units and 1 concepts"):
        discover.name_units(np.ones((4, 1)), np.ones((2, 3)), ["a"])
