"""The optimised gates against a plain loop, one image at a time."""

import jax
import jax.numpy as jnp
import numpy as np
from test_attribution import IMAGES, LABELS, PARAMS, TARGET

from jaxpath import explainers
from jaxpath.pathways import flatten
from jaxpath.types import Pathway

EDGE = 3  # channels of the first site


def slow_dgr(image: np.ndarray, start: np.ndarray, steps: int) -> np.ndarray:
    def logits(gates):
        by_site = {"000.first": gates[None, :EDGE], "001.second": gates[None, EDGE:]}
        return TARGET.apply(PARAMS, image[None], by_site).logits[0]

    clean = TARGET.apply(PARAMS, image[None]).logits[0]
    teacher = jax.nn.softmax(clean)

    def loss(gates):
        return -(teacher * jax.nn.log_softmax(logits(gates))).sum() + 0.05 * jnp.abs(gates).sum()

    gates, velocity, best, lowest = start, np.zeros_like(start), start, np.inf
    for step in range(steps + 1):
        value = float(loss(gates))
        if int(logits(gates).argmax()) == int(clean.argmax()) and value < lowest:
            best, lowest = gates, value
        if step < steps:
            velocity = 0.9 * velocity + np.asarray(jax.grad(loss)(gates))
            gates = np.clip(gates - 0.1 * velocity, 0, 100)
    return best


def scores(explain) -> np.ndarray:
    return np.asarray(flatten(explain(PARAMS, IMAGES, LABELS, key=jax.random.key(0)).scores, TARGET.sites))


def test_dgr_agrees_with_a_plain_loop_image_by_image():
    result = scores(explainers.make_dgr(TARGET, density=0.5, steps=12))
    for row, image in enumerate(IMAGES):
        expected = slow_dgr(image, np.ones(7, np.float32), 12)
        np.testing.assert_allclose(result[row], expected, rtol=1e-3, atol=1e-4)
        assert not np.array_equal(result[row], np.ones(7))


def test_refinement_starts_from_the_given_scores():
    start = np.random.default_rng(1).uniform(0.4, 1, (2, 7)).astype(np.float32)

    def explain(params, images, labels, *, key):
        by_site = {"000.first": jnp.asarray(start[:, :EDGE]), "001.second": jnp.asarray(start[:, EDGE:])}
        return Pathway(by_site, by_site)

    result = scores(explainers.make_refined(TARGET, explain, density=0.5, steps=0))
    np.testing.assert_array_equal(result, start)
    result = scores(explainers.make_refined(TARGET, explain, density=0.5, steps=7))
    for row, image in enumerate(IMAGES):
        np.testing.assert_allclose(result[row], slow_dgr(image, start[row], 7), rtol=1e-3, atol=1e-4)
