"""Gradients, guided backpropagation, integrated gradients, SmoothGrad and class activation maps by hand."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from small_network import forward, small_images, small_params, small_target

from jaxpath import attributions
from jaxpath.types import InputError

TARGET, LABELS = small_target(), jnp.array([1, 2])
PARAMS = small_params((0.1, -0.2, 0.3, 0.05))


def attribute(name, params=PARAMS, **options):
    run = jax.jit(attributions.make_attribution(name, TARGET, **options))
    return np.asarray(run(params, small_images(), LABELS, key=jax.random.key(0)))


def slow_gradient(image, label, *, guided=False):
    """d y_c / d pixel, backwards through both layers."""
    a, b, c = (np.asarray(PARAMS[name], np.float64) for name in "abc")
    z1, _, z2, _, _ = forward(PARAMS, image)
    back = c[:, label]
    if guided:
        back = np.maximum(back, 0)
    back = (b @ (back * (z2 > 0))) / 6
    back = np.broadcast_to(back, z1.shape)
    if guided:
        back = np.maximum(back, 0)
    return (back * (z1 > 0)) @ a.T


@pytest.mark.parametrize("name", ["gradient", "guided_backprop"])
def test_gradients_are_those_worked_out_layer_by_layer(name):
    result = attribute(name, reduce=attributions.unreduced)
    for image, label, values in zip(small_images(), LABELS, result, strict=True):
        expected = slow_gradient(image, int(label), guided=name == "guided_backprop")
        np.testing.assert_allclose(values, expected, rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(attribute(name), np.abs(result).max(axis=-1))


def test_guided_backpropagation_is_another_map_than_the_gradient():
    assert np.abs(attribute("guided_backprop") - attribute("gradient")).max() > 1e-3


def test_input_times_gradient_sums_over_colours():
    gradient = attribute("gradient", reduce=attributions.unreduced)
    np.testing.assert_allclose(
        attribute("input_x_gradient"), (gradient * small_images()).sum(axis=-1), rtol=1e-5
    )


def test_integrated_gradients_sum_to_the_difference_of_the_logits():
    run = jax.jit(TARGET.apply)
    start = np.full_like(small_images(), 0.3)
    rise = run(PARAMS, small_images()).logits - run(PARAMS, start).logits
    result = attribute("integrated_gradients", steps=300, baseline=0.3)
    np.testing.assert_allclose(result.sum(axis=(1, 2)), rise[np.arange(2), LABELS], atol=2e-3)


def test_smoothgrad_without_noise_is_the_gradient_and_averages_what_is_drawn():
    np.testing.assert_allclose(attribute("smoothgrad", noise=0.0), attribute("gradient"), rtol=1e-5)
    result = attribute("smoothgrad", samples=2, noise=0.5, reduce=attributions.unreduced)
    draws = [jax.random.normal(key, (2, 3, 2)) for key in jax.random.split(jax.random.key(0), 2)]
    for image, label, values in zip(small_images(), LABELS, result, strict=True):
        noisy = [image + 0.5 * np.ptp(image) * np.asarray(draw) for draw in draws]
        expected = np.mean([slow_gradient(x, int(label)) for x in noisy], axis=0)
        np.testing.assert_allclose(values, expected, rtol=1e-4, atol=1e-6)


def test_class_activation_maps_worked_out_from_activations_and_gradients():
    maps = {name: attribute(name) for name in ("gradcam", "gradcam_pp", "layercam")}
    b, c = (np.asarray(PARAMS[name], np.float64) for name in "bc")
    for place, (image, label) in enumerate(zip(small_images(), LABELS, strict=True)):
        _, a1, z2, _, _ = forward(PARAMS, image)
        g = np.broadcast_to((b @ (c[:, label] * (z2 > 0))) / 6, a1.shape)
        alpha = g**2 / (2 * g**2 + a1.sum(axis=(0, 1)) * g**3)
        expected = {
            "gradcam": a1 @ g.mean(axis=(0, 1)),
            "gradcam_pp": a1 @ (alpha * np.maximum(g, 0)).sum(axis=(0, 1)),
            "layercam": (a1 * np.maximum(g, 0)).sum(axis=-1),
        }
        for name, values in expected.items():
            np.testing.assert_allclose(maps[name][place], np.maximum(values, 0), rtol=1e-4, atol=1e-6)


def test_a_map_is_enlarged_to_the_image_and_keeps_its_place():
    small = np.zeros((1, 2, 2), np.float32)
    small[0, 0, 1] = 1
    large = np.asarray(attributions.upsample(small, (4, 4)))
    assert large.shape == (1, 4, 4)
    assert np.unravel_index(large[0].argmax(), (4, 4)) == (0, 3)


def test_options_that_make_no_sense_are_refused():
    with pytest.raises(InputError, match="grad_cam") as error:
        attributions.make_attribution("grad_cam", TARGET)
    assert all(name in str(error.value) for name in attributions.names())
    with pytest.raises(InputError, match=r"001\.dense"):
        attributions.make_gradcam(TARGET, site="001.dense")
    with pytest.raises(InputError, match="0 samples"):
        attributions.make_smoothgrad(TARGET, samples=0)
    with pytest.raises(InputError, match="0 steps"):
        attributions.make_integrated(TARGET, steps=0)
    dense = TARGET._replace(sites=TARGET.sites[1:])
    with pytest.raises(InputError, match="no site with space"):
        attributions.make_gradcam(dense)
