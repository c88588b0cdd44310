"""The recursion over sites against the loop that it stands for."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from jaxpath.gencnp.recursion import Weights, recurse

SITES, BATCH, WIDTH = 5, 6, 4


def random_arguments(sees=True):
    keys = iter(jax.random.split(jax.random.key(0), 6))
    inputs = 2 * WIDTH if sees else WIDTH
    weights = Weights(
        kernel=jax.random.normal(next(keys), (SITES, inputs, WIDTH)) / 2,
        bias=jax.random.normal(next(keys), (SITES, WIDTH)),
        scale=1 + jax.random.normal(next(keys), (SITES, WIDTH)) / 4,
        offset=jax.random.normal(next(keys), (SITES, WIDTH)),
    )
    start = jax.random.normal(next(keys), (BATCH, WIDTH))
    return weights, start, jax.random.normal(next(keys), (SITES, BATCH, WIDTH)) if sees else None


def by_loop(weights, start, embeddings, *, recursive=True, reverse=False):
    """One site after the other, by Linen's normalisation and JAX's own derivatives."""
    state, states = start, [None] * SITES
    for i in reversed(range(SITES)) if reverse else range(SITES):
        read = state if embeddings is None else jnp.concatenate([state, embeddings[i]], axis=-1)
        mixed = nn.relu(read @ weights.kernel[i] + weights.bias[i][None])
        norm = {"params": {"scale": weights.scale[i], "bias": weights.offset[i]}}
        states[i] = nn.LayerNorm().apply(norm, mixed) + state
        state = states[i] if recursive else start
    return jnp.stack(states)


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("recursive", [False, True])
@pytest.mark.parametrize("sees", [False, True])
def test_states_and_gradients_are_those_of_a_loop(sees, recursive, reverse):
    arguments = random_arguments(sees)
    pull_of = jax.random.normal(jax.random.key(9), (SITES, BATCH, WIDTH))

    def total(function, **options):
        def of(*arguments):
            return (function(*arguments, recursive=recursive, reverse=reverse, **options) * pull_of).sum()

        return jax.jit(jax.value_and_grad(of, argnums=(0, 1, 2) if sees else (0, 1)))(*arguments)

    value, gradients = total(recurse, dtype=jnp.float32)
    expected, expected_gradients = total(by_loop)
    np.testing.assert_allclose(value, expected, rtol=1e-5)
    for found, right in zip(jax.tree.leaves(gradients), jax.tree.leaves(expected_gradients), strict=True):
        np.testing.assert_allclose(found, right, rtol=1e-4, atol=1e-5 * np.abs(right).max())


def test_in_bfloat16_gradients_are_summed_over_the_batch_in_float32():
    many = 4096
    weights, _, _ = random_arguments()
    start, embeddings = jnp.zeros((many, WIDTH)), jnp.ones((SITES, many, WIDTH))

    def total(weights, dtype):
        return recurse(weights, start, embeddings, dtype=dtype)[-1].astype(jnp.float32).sum()

    # Each image hands the last offset a gradient of 1; in bfloat16 a sum of ones ends at 256.
    assert (jax.jit(jax.grad(total), static_argnums=1)(weights, jnp.bfloat16).offset[-1] == many).all()
