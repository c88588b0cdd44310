"""Knowledge injection: each loss by hand, at its limits, and the same on any number of devices."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.sharding import PartitionSpec as P

from jaxpath import devices, lap
from jaxpath.devices.mesh import AXIS
from jaxpath.lap import losses

ONE = jnp.ones((1, 1))


def logit(p):
    p = np.clip(np.asarray(p, np.float64), 1e-9, 1 - 1e-9)
    return jnp.asarray(np.log(p / (1 - p)), jnp.float32)


def maps(*values, shape=(1, 2, 2, 1)):
    return logit(values).reshape(shape)


def test_absence_is_0_where_nothing_is_claimed_and_the_mean_log_where_something_is():
    np.testing.assert_allclose(lap.absence_loss(maps(0, 0, 0, 0), 1 - ONE), 0, atol=1e-6)
    result = lap.absence_loss(maps(0.5, 0.5, 0, 0.75), 1 - ONE)
    np.testing.assert_allclose(result, np.log([2, 2, 1, 4]).mean(), rtol=1e-5)


def test_presence_asks_for_a_share_of_the_pixels_and_no_more():
    scores = maps(1, 0.2, 0, 0.3)
    np.testing.assert_allclose(lap.presence_loss(scores, ONE, top=0.25), 0, atol=1e-5)
    np.testing.assert_allclose(lap.presence_loss(scores, ONE, top=0.26), -np.log(0.65), rtol=1e-4)


def test_each_concept_counts_as_much_as_any_other_and_one_that_is_missing_not_at_all():
    values = jnp.array([[1.0, 10.0, 7.0], [3.0, 20.0, 7.0], [5.0, 30.0, 7.0]])
    chosen = jnp.array([[1.0, 0, 0], [1, 0, 0], [0, 1, 0]])
    np.testing.assert_allclose(losses.per_concept(values, chosen).mean(), ((1 + 3) / 2 + 30) / 2, rtol=1e-6)
    # The last image is padding: the mean is over two images, and the second concept is missing too.
    weight = jnp.array([1.0, 1, 0])
    result = losses.per_concept(values, chosen, weight)
    np.testing.assert_allclose((result * weight).sum() / 2, 2, rtol=1e-6)
    nothing = losses.per_concept(values, jnp.zeros_like(chosen))
    assert np.isfinite(nothing).all() and not nothing.any()


def test_an_area_within_its_bounds_costs_nothing():
    for share, expected in ((0.02, 0), (0.4, 0), (0.0, 0.02**2), (0.9, 0.5**2)):
        result = lap.area_loss(maps(*[share] * 4), ONE)
        np.testing.assert_allclose(result, expected, atol=1e-6)
    assert lap.area_loss(maps(0.9, 0.9, 0.9, 0.9), 1 - ONE).item() == 0


def test_attention_inside_the_allowed_region_costs_nothing():
    allowed = jnp.array([[[1, 1], [0, 0]]])
    np.testing.assert_allclose(lap.region_loss(maps(0.9, 0.4, 0, 0), ONE, allowed), 0, atol=1e-6)
    np.testing.assert_allclose(lap.region_loss(maps(0.9, 0, 0.6, 0.2), ONE, allowed), 0.2, rtol=1e-5)
    # Four pixels of the mask are one of the map: half of them are outside.
    large = jnp.zeros((1, 4, 4)).at[0, 0].set(1)
    np.testing.assert_allclose(lap.region_loss(maps(0.8, 0, 0, 0), ONE, large), 0.1, rtol=1e-5)


def test_an_annotation_is_cross_entropy_where_it_is_known():
    mask = jnp.array([[[1, 0], [255, 255]]], jnp.uint8)
    result = lap.annotation_loss(maps(0.8, 0.3, 0.9, 0.1), ONE, mask)
    np.testing.assert_allclose(result, -(np.log(0.8) + np.log(0.7)) / 2, rtol=1e-5)
    unknown = jnp.full((1, 2, 2), 255, jnp.uint8)
    assert lap.annotation_loss(maps(0.8, 0.3, 0.9, 0.1), ONE, unknown).item() == 0


def test_the_attended_region_is_to_suffice_and_the_rest_not():
    attended = jnp.array([[[2.0], [-1.0]]])
    complement = jnp.array([[[0.5], [9.0]]])
    kernel, bias = jnp.array([[1.0, 3.0]]), jnp.array([0.0, 1.0])
    result = lap.distinguishing_loss(kernel, bias, attended, complement, jnp.array([[1.0, 0.0]]))
    own = np.array([2.0, -2.0])
    sufficient = (np.log1p(np.exp(-own[0])) + np.log1p(np.exp(own[1]))) / 2
    left = np.array([0.5, 2.5])
    q = np.exp(left) / np.exp(left).sum()
    np.testing.assert_allclose(result, sufficient + 0.1 * (0.5 * np.log(0.5 / q)).sum(), rtol=1e-5)


def test_consecutive_sites_agree_and_only_the_earlier_one_follows():
    pooled, after = jnp.full((1, 2, 2, 1), 0.3), maps(0.5, 0.5, 0.5, 0.5)
    np.testing.assert_allclose(lap.agreement_loss(pooled, after, jnp.array([0])), 0.2, rtol=1e-5)
    follows = jax.grad(lambda q, s: lap.agreement_loss(q, s, jnp.array([0])).sum(), argnums=(0, 1))
    to_pooled, to_after = follows(pooled, after)
    assert to_pooled.any() and not to_after.any()
    # One foreground before two concepts: it follows that of the class.
    two = jnp.concatenate([after, maps(0.9, 0.9, 0.9, 0.9)], axis=-1)
    np.testing.assert_allclose(lap.agreement_loss(pooled, two, jnp.array([1])), 0.6, rtol=1e-5)


def test_crisp_maps_cost_nothing():
    np.testing.assert_allclose(lap.binary_loss(maps(0, 1, 0, 1)), 0, atol=1e-6)
    np.testing.assert_allclose(lap.binary_loss(maps(0.5, 0.5, 1, 0)), 0.125, rtol=1e-5)


def test_a_mask_keeps_its_mean_when_it_shrinks_and_its_values_when_it_grows():
    mask = jnp.array([[[1.0, 0, 0, 0], [1, 0, 0, 1]]])
    np.testing.assert_allclose(losses.resize_mask(mask, (1, 2)), [[[0.5, 0.25]]])
    np.testing.assert_allclose(losses.resize_mask(mask[:, :1, :2], (2, 2)), [[[1, 0], [1, 0]]])


@pytest.mark.parametrize("num_devices", [2, 4])
def test_many_devices_find_the_mean_and_the_gradient_of_one(num_devices):
    rng = np.random.default_rng(0)
    scores = jnp.asarray(rng.normal(size=(8, 3, 3, 3)), jnp.float32)
    labels = jax.nn.one_hot(jnp.array([0, 0, 1, 0, 2, 2, 0, 1]), 3)
    weight = jnp.array([1.0, 1, 1, 1, 1, 1, 1, 0])

    def per_image(shift, scores, labels, weight, axis_name=None):
        moved = scores + shift[None, None, None]
        return lap.absence_loss(moved, labels, weight, axis_name=axis_name) + lap.presence_loss(
            moved, labels, weight, axis_name=axis_name
        )

    def total(shift, *batch, axis_name=None):
        return (per_image(shift, *batch, axis_name=axis_name) * batch[-1]).sum()

    def on_part(shift, *batch):
        value, gradient = jax.value_and_grad(total)(shift, *batch, axis_name=AXIS)
        return jax.lax.psum((value, gradient), AXIS)

    mesh = devices.make_mesh(jax.devices()[:num_devices])
    parts = jax.shard_map(
        on_part, mesh=mesh, in_specs=(P(), P(AXIS), P(AXIS), P(AXIS)), out_specs=P(), check_vma=False
    )
    shift = jnp.array([0.1, -0.2, 0.3])
    result, expected = (
        jax.jit(run)(shift, scores, labels, weight) for run in (parts, jax.value_and_grad(total))
    )
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4), result, expected)
