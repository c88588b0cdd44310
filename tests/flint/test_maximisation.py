"""The penalties by hand, and an ascent that climbs."""

import jax
import jax.numpy as jnp
import numpy as np
from small_flint import INTERPRETER, TARGET, batch, params

from jaxpath import flint
from jaxpath.flint.maximisation import out_of_bounds, total_variation


def test_a_constant_image_within_its_range_costs_nothing():
    images = jnp.full((2, 5, 4, 3), 0.6)
    np.testing.assert_array_equal(total_variation(images), 0)
    np.testing.assert_array_equal(out_of_bounds(images, 0.0, 1.0), 0)


def test_the_penalties_are_means_of_absolute_values():
    images = jnp.array([[0.0, 1.0], [3.0, -2.0]]).reshape(1, 2, 2, 1)
    # Down: |3|, |-3|; right: |1|, |-5|.
    np.testing.assert_allclose(total_variation(images), [3 + 3])
    # Outside [0, 1.5] lie 3 and -2.
    np.testing.assert_allclose(out_of_bounds(images, 0.0, 1.5), [5 / 4])


def test_the_ascent_starts_from_the_dimmed_image_and_makes_adams_steps():
    options = flint.Maximisation(dim=0.5, variation=0.0, bound=0.0, rounds=2, iterations=1, learning_rate=0.1)
    images = jnp.ones((1, 2, 2, 1))
    result = flint.activation_maximisation(lambda x: x.sum(axis=(1, 2, 3)), images, options)
    # Adam's first step has the size of its rate; the second round starts it anew at half the rate.
    np.testing.assert_allclose(result, 0.5 + 0.1 + 0.05, rtol=1e-5)


def test_the_ascent_raises_each_images_own_attribute():
    own, made = params()
    # Active ones: below 0 an attribute has a hundredth of its slope.
    made = jax.tree.map(lambda leaf: leaf + 0.5 * (leaf.shape == (6,)), made)
    images = jnp.asarray(batch(4)["image"], jnp.float32) / 255
    options = flint.Maximisation(rounds=2, iterations=15, gain=20.0, variation=0.1, bound=0.1)
    wanted = jnp.array([0, 1, 2, 3])
    raised = flint.maximise_attributes(TARGET, INTERPRETER, own, made, images, wanted, options)

    @jax.jit
    def phi(images):
        features = TARGET.apply(own, images).features
        return flint.interpret(INTERPRETER, made, features).attributes[jnp.arange(4), wanted]

    assert (phi(raised) > phi(options.dim * images)).all()
    alone = flint.maximise_attributes(TARGET, INTERPRETER, own, made, images[1:2], wanted[1:2], options)
    np.testing.assert_allclose(alone[0], raised[1], atol=1e-4)
