import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxpath import pathways
from jaxpath.types import Site

SITES = (Site("000.a", 2, (1, 2)), Site("001.b", 3, None))


def test_channels_lie_side_by_side_in_forward_order_whatever_the_dict():
    values = {"001.b": jnp.array([[3.0, 4.0, 5.0]]), "000.a": jnp.array([[1.0, 2.0]])}
    np.testing.assert_array_equal(pathways.flatten(values, SITES), [[1, 2, 3, 4, 5]])


def test_sites_count_and_not_the_alphabet():
    # Eleven sites without leading zeros: a dict pytree would put "10" before "2".
    sites = tuple(Site(str(place), 1, None) for place in range(11))
    values = jax.tree.map(lambda v: v, {str(p): jnp.full((1, 1), p) for p in range(11)})
    np.testing.assert_array_equal(pathways.flatten(values, sites), [np.arange(11)])


def test_unflatten_is_the_inverse_at_both_granularities():
    channels = np.arange(10.0).reshape(2, 5)
    split = pathways.unflatten(channels, SITES)
    assert {name: value.shape for name, value in split.items()} == {"000.a": (2, 2), "001.b": (2, 3)}
    np.testing.assert_array_equal(pathways.flatten(split, SITES), channels)

    units = np.arange(14.0).reshape(2, 7)
    like = {"000.a": np.zeros((2, 1, 2, 2)), "001.b": np.zeros((2, 3))}
    split = pathways.unflatten(units, SITES, like=like)
    assert {name: value.shape for name, value in split.items()} == {"000.a": (2, 1, 2, 2), "001.b": (2, 3)}
    np.testing.assert_array_equal(split["000.a"][1, 0, 1], [9, 10])
    np.testing.assert_array_equal(pathways.flatten(split, SITES), units)


def test_a_class_pathway_has_no_batch_axis():
    split = pathways.unflatten(np.arange(5), SITES)
    np.testing.assert_array_equal(split["001.b"], [2, 3, 4])


def test_density_and_iou_by_hand():
    a, b = jnp.array([[1, 1, 0, 0], [0, 0, 0, 0]]), jnp.array([[1, 0, 1, 1], [0, 0, 0, 0]])
    np.testing.assert_array_equal(pathways.density(a), [0.5, 0])
    np.testing.assert_allclose(pathways.iou(a, b), [1 / 4, 1])
    np.testing.assert_allclose(pathways.iou(a, 1 - a), [0, 0])
    # 64 bits on the host: counts of two large sets and of two empty ones.
    overlaps = pathways.iou_of_sizes(np.array([1, 0]), np.array([3, 0]))
    assert overlaps.dtype == np.float64 and overlaps.tolist() == [1 / 3, 1]


@pytest.mark.parametrize("density", [0.0, 0.05, 0.1, 0.3, 0.5, 0.9, 1.0])
@pytest.mark.parametrize("scores", ["distinct", "ties", "dead", "constant"])
def test_the_obtained_density_is_the_requested_one(scores, density):
    rng = np.random.default_rng(0)
    values = {
        "distinct": rng.permuted(np.tile(np.arange(40.0), (3, 1)), axis=1),
        "ties": rng.integers(0, 3, (3, 40)).astype(float),
        "dead": np.where(rng.random((3, 40)) < 0.8, 0, rng.normal(size=(3, 40))),
        "constant": np.ones((3, 40)),
    }[scores]
    opened = np.asarray(pathways.top_fraction(jnp.asarray(values), density))
    np.testing.assert_array_equal(opened.sum(axis=1), [round(density * 40)] * 3)
    for row, mask in zip(values, opened > 0, strict=True):
        if mask.any() and not mask.all():
            assert row[mask].min() >= row[~mask].max()


def test_every_image_may_have_its_own_density():
    scores = jnp.tile(jnp.array([4.0, 3.0, 2.0, 1.0])[None], (3, 1))
    result = pathways.top_fraction(scores, jnp.array([0.25, 0.5, 1.0]))
    np.testing.assert_array_equal(result, [[1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 1]])


def test_denser_pathways_contain_sparser_ones():
    ranks = pathways.ranks(jnp.asarray(np.random.default_rng(0).integers(0, 5, (4, 30)).astype(float)))
    masks = [np.asarray(pathways.open_first(ranks, d)) for d in (0.1, 0.3, 0.7)]
    assert (masks[0] <= masks[1]).all() and (masks[1] <= masks[2]).all()


def test_ranks_count_from_the_best_and_break_ties_by_position():
    np.testing.assert_array_equal(pathways.ranks(jnp.array([[0.0, 5.0, 5.0, -1.0, 7.0]])), [[3, 1, 2, 4, 0]])


def test_offsets_are_where_sites_start():
    assert pathways.offsets(SITES) == [0, 2, 5]


def test_order_statistics_are_those_of_a_sort():
    values = np.random.default_rng(0).normal(size=(4, 30)).astype(np.float32)
    values[0, :8], values[1, 3], values[2, 4], values[3, 5] = 0.5, -0.0, np.inf, -np.inf
    places = np.random.default_rng(1).integers(0, 30, (4, 5))
    result = jax.jit(pathways.order_statistic)(values, places)
    np.testing.assert_array_equal(result, np.take_along_axis(np.sort(values, axis=1), places, axis=1))
