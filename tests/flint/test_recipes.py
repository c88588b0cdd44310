"""The published schedules, epoch by epoch, and the restart of Adam."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxpath import flint
from jaxpath.types import InputError

# reconstruction, output, sparsity, entropy of the epochs 1 to 6
TABLES = {
    "MNIST": [
        (0.8, 0, 0, 0),
        (0.8, 0, 0, 0),
        (0.8, 0.5, 0.1, 0),
        (0.8, 0.5, 0.1, 0),
        (0.8, 0.5, 0.1, 0.2),
        (0.8, 0.5, 0.1, 0.2),
    ],
    "QUICKDRAW": [
        (5, 0, 0, 0),
        (5, 0, 0.02, 0),
        (5, 0.1, 0.3, 0),
        (5, 0.1, 0.3, 0.1),
        (5, 0.1, 0.3, 0.1),
        (5, 0.1, 0.3, 0.1),
    ],
    "CIFAR10": [
        (2, 0, 0, 0),
        (2, 0, 0.001, 0),
        (2, 0.6, 0.15, 0),
        (2, 0.6, 0.15, 0.2),
        (2, 0.6, 0.15, 0.2),
        (2, 0.6, 0.15, 0.2),
    ],
}


@pytest.mark.parametrize("name", TABLES)
def test_the_weights_of_each_epoch_are_the_published_ones(name):
    recipe = getattr(flint, name)
    weights_at = flint.by_step(recipe.stages, batch_size=16, num_examples=40)
    for epoch, expected in enumerate(TABLES[name], start=1):
        # An epoch of 40 images ends within a step of 16: 2.5 steps each.
        first, last = -(-(epoch - 1) * 40 // 16), -(-epoch * 40 // 16) - 1
        for step in (first, last):
            result = weights_at(jnp.int32(step))
            np.testing.assert_allclose(
                [result.reconstruction, result.output, result.sparsity, result.entropy], expected, rtol=1e-6
            )
            assert (result.prediction, result.diversity) == (1, 1)


def test_stages_that_do_not_start_with_the_first_epoch_are_refused():
    with pytest.raises(InputError, match=r"start at the epochs \[2\].*first one to start at 1"):
        flint.stage_weights(1, {2: flint.LossWeights()})


def test_adam_starts_anew_with_zero_moments_and_the_second_rate():
    grads = [jax.random.normal(jax.random.key(i), (3,)) for i in range(6)]
    plain, restarted = optax.adam(0.1), flint.adam(0.1, restart_step=4, restart_rate=0.02)
    params = jnp.zeros(3)
    state, other = plain.init(params), restarted.init(params)
    for grad in grads[:4]:
        expected, state = plain.update(grad, state)
        result, other = restarted.update(grad, other)
        np.testing.assert_allclose(result, expected, rtol=1e-6)
    fresh = optax.adam(0.02)
    state = fresh.init(params)
    for grad in grads[4:]:
        expected, state = fresh.update(grad, state)
        result, other = restarted.update(grad, other)
        np.testing.assert_allclose(result, expected, rtol=1e-6)


def test_cifar10_restarts_at_epoch_19_and_mnist_never():
    assert (flint.CIFAR10.restart, flint.MNIST.restart) == ((19, 4e-5), None)
