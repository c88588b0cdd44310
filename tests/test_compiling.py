import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxpath import compiling, targets
from jaxpath.devices import make_mesh


def chained(x):
    """Two readers of one sum; XLA would compute the sum in each of them."""
    once = compiling.computed_once(jnp.tanh(x) + 1)
    return once, jnp.exp(once) * 2


def barriers(program):
    return program.lower(jnp.ones(16)).compile().as_text().count(" opt-barrier(")


def test_what_is_computed_once_stays_so_where_jit_compiles_and_is_forgotten_elsewhere():
    assert barriers(compiling.jit(chained)) == 1
    assert barriers(jax.jit(chained)) == 0


def test_values_and_gradients_stay_the_same():
    x = jnp.linspace(-2, 2, 9)

    def total(x):
        once, twice = chained(x)
        return (once * twice).sum()

    plain = (jnp.tanh(x) + 1) * jnp.exp(jnp.tanh(x) + 1) * 2
    np.testing.assert_allclose(compiling.jit(total)(x), plain.sum(), rtol=1e-6)
    slope = (jnp.exp(jnp.tanh(x) + 1) * 2 * (jnp.tanh(x) + 2)) * (1 - jnp.tanh(x) ** 2)
    np.testing.assert_allclose(compiling.jit(jax.grad(total))(x), slope, rtol=1e-5)


def test_a_trace_knows_whether_its_barriers_will_hold():
    seen = []

    def note(x):
        seen.append(compiling.barriers_hold())
        return x

    program = jax.jit(note)
    compiling.jit(program)(1.0)
    program(1.0)
    assert seen == [True, False]  # a trace of the one is not taken for the other
    with pytest.raises(ZeroDivisionError):
        compiling.jit(lambda x: x / (1 // 0))(1.0)
    assert not compiling.barriers_hold()


def test_arguments_keep_their_names():
    def power(x, exponent):
        return x**exponent

    assert compiling.jit(power, static_argnames="exponent")(2.0, exponent=3) == 8


def test_every_activation_and_every_gate_of_a_target_is_computed_once():
    target = targets.resnet8(image_size=8)
    params = jax.eval_shape(target.init, jax.random.key(0))
    images = jax.ShapeDtypeStruct((2, 8, 8, 3), jnp.float32)
    gates = {site.name: jax.ShapeDtypeStruct((2, site.channels), jnp.float32) for site in target.sites}
    program = compiling.jit(target.apply).lower(params, images, gates).compile().as_text()
    # What is rectified, the gate, and their product.
    assert program.count(" opt-barrier(") == 3 * len(target.sites)


def test_the_option_travels_into_sharded_programs():
    mesh = make_mesh()
    spec = jax.sharding.PartitionSpec("data")
    assert mesh.axis_names == ("data",)
    sharded = jax.shard_map(chained, mesh=mesh, in_specs=spec, out_specs=spec)
    assert barriers(compiling.jit(sharded)) == 1
