"""The losses against sums written out in NumPy, and what they are at their ends."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec as P

from jaxpath.devices.mesh import AXIS, make_mesh
from jaxpath.flint import losses


@pytest.mark.parametrize("num_attributes", [24, 25, 36])
def test_the_entropy_is_ln_j_for_equal_values_and_0_for_one_large_one(num_attributes):
    equal = losses.entropy(jnp.full((2, num_attributes), 3.7))
    np.testing.assert_allclose(equal, np.log(num_attributes), rtol=1e-6)
    one = losses.entropy(60.0 * jax.nn.one_hot(jnp.array([4]), num_attributes))
    np.testing.assert_allclose(one, 0, atol=1e-6)


def test_the_entropy_lies_between_its_ends_and_agrees_with_numpy():
    values = np.random.default_rng(0).normal(0, 3, (50, 7)).astype(np.float32)
    p = np.exp(values.astype(np.float64))
    p /= p.sum(axis=1, keepdims=True)
    expected = -(p * np.log(p)).sum(axis=1)
    np.testing.assert_allclose(losses.entropy(jnp.asarray(values)), expected, rtol=1e-5, atol=1e-6)
    assert (expected > 0).all() and (expected < np.log(7)).all()


def test_concentration_and_diversity_look_at_sizes_not_at_signs():
    attributes = jnp.asarray(np.random.default_rng(1).normal(size=(5, 6)), jnp.float32)
    np.testing.assert_array_equal(losses.concentration(attributes), losses.concentration(-attributes))
    np.testing.assert_array_equal(losses.diversity(attributes), losses.diversity(-attributes))


def test_diversity_takes_the_entropy_after_the_mean():
    # Two images, one attribute each, of size 4: the mean is (2, 2), whose softmax is even.
    attributes = jnp.array([[4.0, 0.0], [0.0, -4.0]])
    np.testing.assert_allclose(losses.diversity(attributes), np.log(2), rtol=1e-6)
    p = 1 / (1 + np.exp(-4))
    each = -(p * np.log(p) + (1 - p) * np.log(1 - p))
    np.testing.assert_allclose(losses.concentration(attributes), [each, each], rtol=1e-5)


def test_padding_has_no_part_in_the_diversity():
    attributes = jnp.array([[4.0, 0.0], [0.0, 4.0], [9.0, 0.0]])
    np.testing.assert_allclose(losses.diversity(attributes, jnp.array([1.0, 1.0, 0.0])), np.log(2), rtol=1e-6)


def test_diversity_and_its_gradient_are_the_same_on_eight_devices_as_on_one():
    attributes = jax.random.normal(jax.random.key(0), (16, 5))
    weight = jnp.ones(16).at[13:].set(0)
    mesh = make_mesh()

    def local(attributes, weight):
        def share(a):
            # The step adds up one such loss per example and divides by their number.
            return losses.diversity(a, weight, axis_name=AXIS) * weight.sum() / 13

        return jax.value_and_grad(share)(attributes)

    spec = P(AXIS)
    run = jax.shard_map(
        lambda a, w: (jax.lax.psum(local(a, w)[0], AXIS), local(a, w)[1]),
        mesh=mesh, in_specs=(spec, spec), out_specs=(P(), spec), check_vma=False,
    )  # fmt: skip
    value, gradient = jax.jit(run)(attributes, weight)
    expected = jax.value_and_grad(lambda a: losses.diversity(a, weight))(attributes)
    np.testing.assert_allclose(value, expected[0], rtol=1e-6)
    np.testing.assert_allclose(gradient, expected[1], atol=1e-7)


def test_output_fidelity_is_smallest_at_the_targets_own_logits_where_it_is_their_entropy():
    logits = jax.random.normal(jax.random.key(0), (4, 5)) * 2
    at_own = losses.output_fidelity(logits, logits)
    np.testing.assert_allclose(at_own, losses.entropy(logits), rtol=1e-6)
    elsewhere = losses.output_fidelity(logits, logits + jax.random.normal(jax.random.key(1), (4, 5)) / 4)
    assert (elsewhere > at_own).all()
    slope = jax.grad(lambda z: losses.output_fidelity(logits, z).sum())(logits)
    np.testing.assert_allclose(slope, 0, atol=1e-6)


def test_output_fidelity_detaches_the_teacher():
    logits = jax.random.normal(jax.random.key(0), (4, 5))
    slope = jax.grad(lambda z: losses.output_fidelity(z, logits + 1).sum())(logits)
    np.testing.assert_array_equal(slope, 0)


def test_input_fidelity_and_sparsity_are_means():
    images = jnp.zeros((1, 2, 1, 2))
    reconstruction = jnp.array([1.0, -2.0, 0.0, 3.0]).reshape(1, 2, 1, 2)
    np.testing.assert_allclose(losses.input_fidelity(images, reconstruction), [14 / 4])
    np.testing.assert_allclose(losses.input_fidelity(images, reconstruction, norm="l1"), [6 / 4])
    np.testing.assert_allclose(losses.sparsity(jnp.array([[1.0, -3.0]])), [2.0])
