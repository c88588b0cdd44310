"""Where the values of a site lie, by hand."""

import pickle

import numpy as np
import pytest

from jaxpath import places
from jaxpath.types import Patches, Site, Tokens

MAP = Site("000.a", 2, (2, 3))
WITH_TOKEN = Site("001.b", 2, Tokens(7, Patches(1, (2, 3))))
PLAIN = Site("002.c", 2, Tokens(6, Patches(0, (2, 3))))
UNKNOWN = Site("003.d", 2, Tokens(5))
DENSE = Site("004.e", 2, None)
TOKENS = np.arange(14.0).reshape(1, 7, 2)


def test_the_grid_of_a_site():
    assert [places.grid_of(site) for site in (MAP, WITH_TOKEN, PLAIN, UNKNOWN, DENSE)] == [
        (2, 3),
        (2, 3),
        (2, 3),
        None,
        None,
    ]
    point = Site("005.f", 2, (1, 1))
    assert places.sites_in_image([MAP, point, WITH_TOKEN, UNKNOWN, DENSE]) == [MAP, WITH_TOKEN]


def test_patches_lie_on_their_grid_without_the_class_token():
    grid = places.on_grid(TOKENS, WITH_TOKEN)
    assert grid.shape == (1, 2, 3, 2)
    np.testing.assert_array_equal(grid[0, :, :, 0], [[2, 4, 6], [8, 10, 12]])


def test_all_tokens_are_a_map_or_a_column():
    assert places.as_map(TOKENS, WITH_TOKEN).shape == (1, 7, 1, 2)
    assert places.as_map(TOKENS[:, 1:], PLAIN).shape == (1, 2, 3, 2)
    assert places.as_map(TOKENS[:, 0], DENSE).shape == (1, 2)


@pytest.mark.parametrize(
    ("position", "site", "expected"),
    [
        (4, MAP, (1, 1)),
        (0, WITH_TOKEN, None),
        (5, WITH_TOKEN, (1, 1)),
        (5, PLAIN, (1, 2)),
        (0, UNKNOWN, None),
    ],
)
def test_the_row_and_column_of_a_position(position, site, expected):
    assert places.position_on_grid(position, site) == expected


def test_means_and_maxima_over_places():
    np.testing.assert_array_equal(places.mean_over_places(TOKENS), [[6, 7]])
    np.testing.assert_array_equal(places.max_over_places(TOKENS.reshape(1, 7, 1, 2)), [[12, 13]])
    np.testing.assert_array_equal(places.mean_over_places(TOKENS[:, 0]), [[0, 1]])


def test_tokens_are_a_size_that_survives_pickle():
    tokens = pickle.loads(pickle.dumps(WITH_TOKEN))
    assert tokens.spatial == (7,) and tokens.patches == Patches(1, (2, 3))
    assert Site("001.b", 2, (7,)) == WITH_TOKEN and (*WITH_TOKEN.spatial, 2) == (7, 2)
    assert [site.size() for site in (MAP, WITH_TOKEN, DENSE)] == ["2 x 3", "7 tokens", "dense"]
