"""An adapted network is computed in the library's own forms on a CPU, and stays the same function."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from jax.extend.core import jaxprs_in_params

from jaxpath import Preprocessing, compiling, targets

PREPROCESSING = Preprocessing(None, (12, 10), (0.5,) * 3, (0.25,) * 3)
IMAGES = np.random.default_rng(0).normal(size=(2, 12, 10, 3)).astype(np.float32)


class Net(nn.Module):
    """Convolutions before a rectifier, a sum, a norm and a SiLU; dilated, by channel, in groups."""

    @nn.compact
    def __call__(self, x):
        norm = nn.BatchNorm(use_running_average=True)
        x = nn.relu(norm(nn.Conv(8, (3, 3), strides=2, name="alone")(x)))
        x = nn.max_pool(x, (3, 3), (1, 1), "SAME")
        y = nn.relu(nn.Conv(8, (3, 3), padding="VALID", name="valid")(x))
        y = nn.Conv(8, (3, 3), padding=((2, 2), (2, 2)), name="summed")(y)
        x = nn.relu(x + y)
        x = nn.relu(nn.LayerNorm()(nn.Conv(8, (3, 3), name="normed")(x)))
        x = nn.relu(nn.Conv(8, (3, 3), kernel_dilation=2, name="dilated")(x))
        x = nn.relu(nn.Conv(8, (3, 3), feature_group_count=8, name="by_channel")(x))
        x = nn.relu(nn.Conv(8, (3, 3), feature_group_count=2, name="grouped")(x))
        return nn.Dense(3)(nn.silu(nn.Conv(8, (3, 3), name="silu")(x)).mean((1, 2)))


def make():
    target = targets.adapt_linen(Net(), name="net", preprocessing=PREPROCESSING)
    shapes = jax.eval_shape(target.init, jax.random.key(0))
    random = np.random.default_rng(1)
    params = jax.tree.map(lambda leaf: random.uniform(0.1, 0.6, leaf.shape).astype(np.float32) - 0.2, shapes)
    params["batch_stats"] = jax.tree.map(np.abs, params["batch_stats"])
    return target, params


def operations(jaxpr):
    for eqn in jaxpr.eqns:
        yield eqn
        for inner in jaxprs_in_params(eqn.params):
            yield from operations(inner)


def test_logits_and_gradients_are_those_of_the_module():
    target, params = make()

    def by_target(params, images):
        return (target.apply(params, images).logits ** 2).sum()

    def by_module(params, images):
        return (Net().apply(params, images) ** 2).sum()

    found = jax.jit(jax.value_and_grad(by_target, (0, 1)))(params, IMAGES)
    expected = jax.jit(jax.value_and_grad(by_module, (0, 1)))(params, IMAGES)
    for one, other in zip(jax.tree.leaves(found), jax.tree.leaves(expected), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-3, atol=1e-3 * np.abs(other).max())


def test_the_gradient_of_a_rectifier_at_0_stays_that_of_jax():
    def forward(params, x):
        return jax.nn.relu(x.mean((1, 2)) * params[None])

    target = targets.adapt_function(
        forward, init=lambda key: jnp.ones(3), name="net", preprocessing=PREPROCESSING
    )
    slope = jax.grad(lambda params: target.apply(params, IMAGES).logits.sum())(jnp.zeros(3))
    np.testing.assert_array_equal(slope, np.zeros(3))


@pytest.mark.skipif(not compiling.for_cpu(), reason="the forms are those of a CPU")
def test_convolutions_of_images_take_the_forms_of_a_cpu_in_the_loop_that_fits():
    target, params = make()
    loops = []

    def listed(params, images):
        traced = jax.make_jaxpr(lambda p, x: target.apply(p, x).logits)(params, images)
        loops.extend(
            eqn.params["window"].loop
            for eqn in operations(traced.jaxpr)
            if eqn.primitive.name == "convolution_by_shape"
        )
        left = [eqn for eqn in operations(traced.jaxpr) if eqn.primitive.name == "conv_general_dilated"]
        # The dilated one, and that of two groups.
        assert len(left) == 2
        names = {eqn.primitive.name for eqn in operations(traced.jaxpr)}
        assert "reduce_window_max" not in names
        return jnp.zeros(())

    compiling.jit(listed)(params, IMAGES)
    # The first three end in a rectifier; a norm and the gradient of a SiLU would read the result again.
    assert loops == ["fused", "fused", "fused", "alone", "alone"]
