import jax.numpy as jnp
import numpy as np

from jaxpath.blanks import BLANKS, as_floats, blank_pictures
from jaxpath.types import Preprocessing

PREPROCESSING = Preprocessing(None, (6, 5), (0.5, 0.25, 0.0), (0.5, 0.25, 1.0))


def make(count=3, places=None, seed=1):
    pixels = np.random.default_rng(0).normal(size=(count, 6, 5, 3)).astype(np.float32)
    places = jnp.arange(count) if places is None else jnp.asarray(places)
    return pixels, np.asarray(blank_pictures(jnp.asarray(pixels), places, PREPROCESSING, seed=seed))


def test_grey_and_black_are_normalised_by_hand():
    _, blanks = make()
    assert BLANKS == ("noise", "grey", "black", "shuffled") and blanks.shape == (4, 3, 6, 5, 3)
    np.testing.assert_allclose(blanks[2], np.broadcast_to([-1.0, -1.0, 0.0], (3, 6, 5, 3)), atol=1e-6)
    grey = 128 / 255
    expected = [(grey - 0.5) / 0.5, (grey - 0.25) / 0.25, grey]
    np.testing.assert_allclose(blanks[1], np.broadcast_to(expected, (3, 6, 5, 3)), atol=1e-6)


def test_noise_holds_values_of_raw_pictures():
    _, blanks = make()
    raw = (blanks[0] * np.array(PREPROCESSING.std) + np.array(PREPROCESSING.mean)) * 255
    np.testing.assert_allclose(raw, np.rint(raw), atol=1e-3)
    assert raw.min() >= -1e-3 and raw.max() <= 255.001 and raw.std() > 60


def test_shuffled_pixels_are_the_pictures_own_with_their_colours():
    pixels, blanks = make()
    for image, shuffled in zip(pixels, blanks[3], strict=True):
        colours, moved = (sorted(map(tuple, x.reshape(-1, 3).tolist())) for x in (image, shuffled))
        assert colours == moved and (image != shuffled).any()


def test_what_is_drawn_depends_on_the_place_alone():
    pixels, blanks = make()
    reverse = np.asarray(
        blank_pictures(jnp.asarray(pixels[::-1].copy()), jnp.array([2, 1, 0]), PREPROCESSING, seed=1)
    )
    np.testing.assert_array_equal(blanks, reverse[:, ::-1])
    assert (blanks[0, 0] != blanks[0, 1]).any()
    assert (make(seed=2)[1][0] != blanks[0]).any()


def test_floats_are_normalised_already():
    floats = jnp.ones((1, 6, 5, 3))
    assert as_floats(floats, PREPROCESSING) is floats
    np.testing.assert_allclose(
        as_floats(jnp.zeros((1, 6, 5, 3), jnp.uint8), PREPROCESSING)[0, 0, 0], [-1, -1, 0], atol=1e-6
    )


def test_beside_raw_pictures_blank_ones_are_raw_and_the_same():
    raw = np.random.default_rng(0).integers(0, 256, (2, 6, 5, 3), dtype=np.uint8)
    places = jnp.arange(2)
    floats = as_floats(jnp.asarray(raw), PREPROCESSING)
    expected = np.asarray(blank_pictures(floats, places, PREPROCESSING, seed=1))
    blanks = blank_pictures(jnp.asarray(raw), places, PREPROCESSING, seed=1)
    assert blanks.dtype == jnp.uint8
    for kind, other in zip(blanks, expected, strict=True):
        np.testing.assert_allclose(as_floats(kind, PREPROCESSING), other, atol=1e-5)
