import chex
import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxpath.gencnp.daq import daq, daq_slope, straight_through

SCORES = jnp.array([0.01, 0.2, 0.49, 0.51, 0.7, 0.99])


def soft_assignment(score, gamma=2.0, sigma=1.0):
    """The published soft form: its value is the rounding, its gradient is DAQ's."""
    levels = jnp.array([0.0, 1.0])
    distance = jnp.exp(-jnp.abs(score - levels))
    nearest = jax.lax.stop_gradient(levels[jnp.argmax(distance)])
    kernel = jnp.exp(-((levels - nearest) ** 2) / sigma**2)
    rated = distance * kernel
    beta = jax.lax.stop_gradient(gamma / jnp.abs(rated[0] - rated[1]))
    share = jax.nn.softmax(beta * rated)
    outer = jnp.array([-1 / (jnp.exp(gamma) - 1), 1 + 1 / (jnp.exp(gamma) - 1)])
    return (share * outer).sum()


def test_forward_rounds_and_a_tie_closes():
    assert daq(jnp.array([0.0, 0.49, 0.5, 0.51, 1.0])).tolist() == [0, 0, 0, 1, 1]


@pytest.mark.parametrize(
    "sigma, score, slope", [(1.0, 0.0, 0.362), (1.0, 0.5, 0.597), (2.0, 0.0, 0.497), (2.0, 0.5, 2.217)]
)
def test_slope_has_the_published_values(sigma, score, slope):
    assert float(daq_slope(jnp.float32(score), 2.0, sigma)) == pytest.approx(slope, abs=6e-4)


@pytest.mark.parametrize("sigma", [1.0, 2.0])
def test_value_and_gradient_are_those_of_the_soft_assignment(sigma):
    def soft(score):
        return soft_assignment(score, sigma=sigma)

    value, slope = jax.vmap(jax.value_and_grad(soft))(SCORES)
    np.testing.assert_allclose(value, daq(SCORES), atol=1e-5)
    gradient = jax.grad(lambda s: daq(s, 2.0, sigma).sum())(SCORES)
    np.testing.assert_allclose(gradient, slope, rtol=1e-4)


def test_gradient_is_the_cotangent_times_the_slope():
    weights = jnp.arange(6.0)
    gradient = jax.grad(lambda s: (daq(s) * weights).sum())(SCORES)
    chex.assert_trees_all_close(gradient, weights * daq_slope(SCORES))


def test_straight_through_rounds_with_gradient_one():
    assert straight_through(SCORES).tolist() == [0, 0, 0, 1, 1, 1]
    assert jax.grad(lambda s: straight_through(s).sum())(SCORES).tolist() == [1] * 6
