"""Attributions of pixels for a report: those of the library, of the class in question."""

import jax
import numpy as np
import pytest

from jaxpath import attributions, data, devices, metrics, targets
from jaxpath.findings import load_pictures
from jaxpath.findings.attributing import attribute_pixels
from jaxpath.types import InputError


@pytest.fixture(scope="module")
def explained():
    """Three digits, which do not fill their second batch, and a classifier that was never trained."""
    target = targets.digit_cnn(image_size=8)
    params = target.init(jax.random.key(0))
    session = metrics.Session(target, params, devices.make_mesh(jax.devices()[:1]), batch_size=2)
    return session, load_pictures(session, data.Subset(data.digits("test"), np.arange(3)))


def test_maps_are_those_of_the_attribution_and_of_the_difference_of_two_logits(explained):
    session, pictures = explained
    classes = np.array([1, 0, 3])
    maps = attribute_pixels(session, ("gradient", "input_x_gradient"), pictures, classes)
    of = jax.jit(attributions.make_attribution("input_x_gradient", session.target))

    def direct(labels):
        return np.asarray(of(session.params, pictures.images, labels, key=jax.random.key(0)))

    np.testing.assert_allclose(maps.values[1], direct(classes), atol=1e-5)
    assert [name for name, _ in maps.of(2)] == ["gradient", "input_x_gradient"]
    np.testing.assert_array_equal(maps.of(2)[1][1], maps.values[1][2])
    # Pixel times gradient is linear in the logit.
    (rather,) = attribute_pixels(session, ("input_x_gradient",), pictures, classes, against=7).values
    np.testing.assert_allclose(rather, direct(classes) - direct(np.full(3, 7)), atol=1e-5)


def test_a_name_of_no_attribution_is_refused(explained):
    with pytest.raises(InputError, match="rise"):
        attribute_pixels(*explained[:1], ("rise",), explained[1], np.zeros(3, int))
