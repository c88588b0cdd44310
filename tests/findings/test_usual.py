"""The mean that closed channels hold: over which pictures, and measured once."""

import numpy as np
import pytest
from tiny_target import SITES, numpy_forward, tiny_params

from jaxpath.findings.usual import FEW, NUM_DRAWN, NUM_USUAL, drawn_pictures, kept_mean, usual_pictures


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "jaxpath" / "means"


def test_the_mean_is_that_of_a_slow_forward_and_is_measured_once(session, pictures, cache, monkeypatch):
    fill = kept_mean(session, pictures.images, identity="w")
    forwards = [numpy_forward(tiny_params(), image.astype(float))[1] for image in pictures.images]
    for place, site in enumerate(SITES):
        expected = np.mean([f[place].reshape(-1, site.channels).mean(axis=0) for f in forwards], axis=0)
        np.testing.assert_allclose(fill.means[site.name], expected, rtol=1e-4, atol=1e-4)
    (file,) = cache.iterdir()

    def refuse(*_):
        raise AssertionError("measured again")

    monkeypatch.setattr("jaxpath.findings.usual.site_means", refuse)
    again = kept_mean(session, pictures.images, identity="w")
    for name, mean in fill.means.items():
        np.testing.assert_array_equal(again.means[name], mean)
    # Other weights and other pictures have means of their own; so has a file that holds something else.
    with pytest.raises(AssertionError):
        kept_mean(session, pictures.images, identity="other")
    with pytest.raises(AssertionError):
        kept_mean(session, pictures.images[1:], identity="w")
    np.savez(file.with_suffix(""), wrong=np.zeros(3))
    with pytest.raises(AssertionError):
        kept_mean(session, pictures.images, identity="w")


def test_it_is_taken_over_the_reference_else_over_the_pictures_else_over_drawn_ones_too():
    few, many = np.zeros((3, 4, 4, 3), np.uint8), np.ones((FEW, 4, 4, 3), np.uint8)
    images, words = usual_pictures(few, reference=np.repeat(many, 5, axis=0), name="photographs")
    assert len(images) == NUM_USUAL and words == f"{NUM_USUAL} pictures of photographs"
    images, words = usual_pictures(many)
    np.testing.assert_array_equal(images, many)
    assert words == f"{FEW} of the explained pictures, for want of a reference"
    images, words = usual_pictures(few)
    assert len(images) == 3 + NUM_DRAWN
    assert words == f"the 3 explained pictures and {NUM_DRAWN} drawn ones, for want of a reference"
    assert usual_pictures(few[:1])[1].startswith("the explained picture and")


def test_drawn_pictures_have_areas_of_one_colour_and_are_the_same_for_one_seed():
    drawn = drawn_pictures((32, 24, 3), 4)
    assert drawn.shape == (4, 32, 24, 3) and drawn.dtype == np.uint8
    np.testing.assert_array_equal(drawn, drawn_pictures((32, 24, 3), 4))
    assert (drawn != drawn_pictures((32, 24, 3), 4, seed=1)).any()
    for image in drawn:
        # Neighbours mostly share a colour, and there are many colours.
        assert (image[1:] == image[:-1]).all(axis=-1).mean() > 0.5
        assert len(np.unique(image.reshape(-1, 3), axis=0)) > 8
