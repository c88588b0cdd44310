"""What a compiled program exchanges between devices, read from the program."""

import jax
import jax.numpy as jnp
from jax import lax
from jax.sharding import PartitionSpec as P

from jaxpath.devices import AXIS
from jaxpath.training import read_program


def test_every_kind_of_exchange_is_found_with_its_size(eight_devices):
    def f(x, y):
        return (
            lax.psum((x, y), AXIS),
            lax.all_gather(y, AXIS),
            lax.ppermute(x, AXIS, [(i, (i + 1) % 8) for i in range(8)]),
        )

    program = jax.jit(jax.shard_map(f, mesh=eight_devices, in_specs=P(AXIS), out_specs=P(AXIS)))
    shapes = jax.ShapeDtypeStruct((24, 2), jnp.float32), jax.ShapeDtypeStruct((16,), jnp.int8)
    exchanges = read_program(program.lower(*shapes).compile()).collectives
    # One device holds float32 [3, 2] and int8 [2].
    assert sorted((name, size) for name, sizes in exchanges for size in sizes) == [
        ("all-gather", 16),
        ("all-reduce", 2),
        ("all-reduce", 24),
        ("collective-permute", 24),
    ]


def test_without_a_second_device_nothing_is_exchanged(one_device):
    program = read_program(jax.jit(jnp.sin).lower(jax.ShapeDtypeStruct((5,), jnp.float32)).compile())
    assert program.collectives == ()
    assert (program.argument_bytes, program.scratch_bytes) == (20, 20)
