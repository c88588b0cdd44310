"""Scores against finite differences, completeness, and values worked out by hand."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxpath import explainers
from jaxpath.explainers.search import removal_schedule
from jaxpath.gating import Taps
from jaxpath.pathways import flatten
from jaxpath.types import Preprocessing, Site, Target, TargetOutput

SITES = (Site("000.first", 3, (2, 2)), Site("001.second", 4, None))
CLASSES = 2


def make_target() -> Target:
    """relu -> mean over space -> relu(dense) -> dense: small enough to be written again in NumPy."""

    def apply(params, images, gates=None):
        taps = Taps(gates)
        x = taps("first", jax.nn.relu(images))
        x = taps("second", jax.nn.relu(x.mean(axis=(1, 2)) @ params["hidden"] + params["bias"]))
        return TargetOutput(x @ params["readout"], taps.features)

    def init(key):
        a, b = jax.random.split(key)
        return {
            "hidden": jax.random.normal(a, (3, 4)),
            "bias": 0.3 * jnp.ones((1, 4)),
            "readout": jax.random.normal(b, (4, CLASSES)),
        }

    preprocessing = Preprocessing(None, (2, 2), (0.0,) * 3, (1.0,) * 3)
    return Target("two-layers", SITES, CLASSES, preprocessing, init, apply, lambda *a, **k: None)


TARGET = make_target()
PARAMS = TARGET.init(jax.random.key(3))
IMAGES = np.random.default_rng(0).normal(size=(2, 2, 2, 3)).astype(np.float32)
LABELS = np.array([0, 1])


def forward(image: np.ndarray, first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """Logits of one image under gates, in NumPy and double precision."""
    hidden, bias, readout = (np.asarray(PARAMS[k], np.float64) for k in ("hidden", "bias", "readout"))
    x = np.maximum(image.astype(np.float64), 0) * first
    return (np.maximum(x.mean(axis=(0, 1)) @ hidden + bias[0], 0) * second) @ readout


def scores_of(name: str, **options) -> np.ndarray:
    explain = explainers.make_explainer(name, TARGET, density=0.5, **options)
    return np.asarray(flatten(explain(PARAMS, IMAGES, LABELS, key=jax.random.key(0)).scores, TARGET.sites))


def finite_differences() -> np.ndarray:
    """d y_c / d gate at gates of 1, one gate after another: [2, 7]."""
    result = np.zeros((2, 7))
    for row, (image, label) in enumerate(zip(IMAGES, LABELS, strict=True)):
        for place in range(7):
            values = []
            for sign in (1, -1):
                gates = np.ones(7)
                gates[place] += sign * 1e-6
                values.append(forward(image, gates[:3], gates[3:])[label])
            result[row, place] = (values[0] - values[1]) / 2e-6
    return result


def test_the_signed_taylor_score_is_the_derivative_by_the_gate():
    np.testing.assert_allclose(scores_of("taylor_signed"), finite_differences(), rtol=1e-3, atol=1e-4)


def test_the_taylor_score_is_its_absolute_value():
    np.testing.assert_allclose(scores_of("taylor"), np.abs(finite_differences()), rtol=1e-3, atol=1e-4)


def test_unit_scores_sum_to_the_channel_score_before_the_absolute_value():
    unit = scores_of("taylor_signed", granularity="unit")
    first = unit[:, : 2 * 2 * 3].reshape(2, 4, 3).sum(axis=1)
    np.testing.assert_allclose(first, scores_of("taylor_signed")[:, :3], rtol=1e-4, atol=1e-5)


def test_the_activation_score_is_the_mean_over_space():
    expected = np.abs(np.maximum(IMAGES, 0)).mean(axis=(1, 2))
    np.testing.assert_allclose(scores_of("activation")[:, :3], expected, rtol=1e-5)


def test_integrated_gradients_of_a_site_sum_to_what_closing_it_costs():
    result = explainers.integrated_gradients(TARGET, PARAMS, IMAGES, LABELS, steps=2000)
    for row, (image, label) in enumerate(zip(IMAGES, LABELS, strict=True)):
        clean = forward(image, np.ones(3), np.ones(4))[label]
        without_first = forward(image, np.zeros(3), np.ones(4))[label]
        without_second = forward(image, np.ones(3), np.zeros(4))[label]
        np.testing.assert_allclose(result[row, :3].sum(), clean - without_first, rtol=2e-3, atol=2e-3)
        np.testing.assert_allclose(result[row, 3:].sum(), clean - without_second, rtol=2e-3, atol=2e-3)


def test_integrated_gradients_follow_the_path_j_over_steps():
    steps, expected = 3, np.zeros((2, 7))
    for row, (image, label) in enumerate(zip(IMAGES, LABELS, strict=True)):
        for place in range(7):
            own = np.arange(7) < 3 if place < 3 else np.arange(7) >= 3
            for j in (1, 2, 3):
                gates = np.where(own, j / steps, 1.0)
                up, down = gates.copy(), gates.copy()
                up[place] += 1e-6
                down[place] -= 1e-6
                slope = forward(image, up[:3], up[3:])[label] - forward(image, down[:3], down[3:])[label]
                expected[row, place] += slope / 2e-6 / steps
    result = explainers.integrated_gradients(TARGET, PARAMS, IMAGES, LABELS, steps=steps)
    np.testing.assert_allclose(result, expected, rtol=1e-3, atol=1e-4)


def test_greedy_removal_agrees_with_a_slow_loop():
    explain = explainers.make_greedy(TARGET, density=2 / 7, share=0.2)
    result = flatten(explain(PARAMS, IMAGES, LABELS, key=jax.random.key(0)).masks, TARGET.sites)
    for row, (image, label) in enumerate(zip(IMAGES, LABELS, strict=True)):
        mask = np.ones(7)
        for num_open in removal_schedule(7, 2 / 7, 0.2):
            influence = np.zeros(7)
            for place in np.flatnonzero(mask):
                up, down = mask.copy(), mask.copy()
                up[place] += 1e-6
                down[place] -= 1e-6
                slope = forward(image, up[:3], up[3:])[label] - forward(image, down[:3], down[3:])[label]
                influence[place] = abs(slope / 2e-6)
            order = np.argsort(-np.where(mask > 0, influence, -1), kind="stable")
            mask = np.zeros(7)
            mask[order[:num_open]] = 1
        np.testing.assert_array_equal(result[row], mask)


def test_the_saliency_is_the_derivative_by_the_strongest_colour():
    masks = {"000.first": jnp.array([[1.0, 0.0, 1.0], [1.0, 1.0, 0.0]])}
    result = explainers.pathway_saliency(TARGET, PARAMS, jnp.asarray(IMAGES), jnp.asarray(LABELS), masks)
    for row in range(2):
        first = np.asarray(masks["000.first"][row])
        for i, j in np.ndindex(2, 2):
            slopes = []
            for colour in range(3):
                up, down = IMAGES[row].astype(np.float64), IMAGES[row].astype(np.float64)
                up[i, j, colour] += 1e-6
                down[i, j, colour] -= 1e-6
                values = [forward_double(x, first, LABELS[row]) for x in (up, down)]
                slopes.append((values[0] - values[1]) / 2e-6)
            expected = slopes[int(np.argmax(np.abs(slopes)))]
            np.testing.assert_allclose(result[row, i, j], expected, rtol=1e-3, atol=1e-4)


def forward_double(image: np.ndarray, first: np.ndarray, label: int) -> float:
    hidden, bias, readout = (np.asarray(PARAMS[k], np.float64) for k in ("hidden", "bias", "readout"))
    x = np.maximum(image, 0) * first
    return float((np.maximum(x.mean(axis=(0, 1)) @ hidden + bias[0], 0) @ readout)[label])
