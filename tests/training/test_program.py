"""What the compiled step exchanges between devices, and docs/scaling.md, which says so."""

import re
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax
from jax.sharding import PartitionSpec as P

from jaxpath.training import AXIS, read_program

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT / "experiments"))

ROW = re.compile(r"\| (\w+) \| ([\d,]+) \| ([\d,]+) bytes \| (\d+) all-reduce \|")


def number(text):
    return int(text.replace(",", ""))


def documented():
    """The rows of docs/scaling.md: model, parameters, bytes, number of exchanges."""
    found = ROW.findall((ROOT / "docs" / "scaling.md").read_text())
    return {model: tuple(map(number, figures)) for model, *figures in found}


def test_every_kind_of_exchange_is_found_with_its_size(eight_devices):
    def f(x, y):
        return (
            lax.psum((x, y), AXIS),
            lax.all_gather(y, AXIS),
            lax.ppermute(x, AXIS, [(i, (i + 1) % 8) for i in range(8)]),
        )

    program = jax.jit(jax.shard_map(f, mesh=eight_devices, in_specs=P(AXIS), out_specs=P(AXIS)))
    shapes = jax.ShapeDtypeStruct((24, 2), jnp.float32), jax.ShapeDtypeStruct((16,), jnp.int8)
    found = read_program(program.lower(*shapes).compile()).collectives
    # One device holds float32 [3, 2] and int8 [2].
    assert sorted((name, size) for name, sizes in found for size in sizes) == [
        ("all-gather", 16),
        ("all-reduce", 2),
        ("all-reduce", 24),
        ("collective-permute", 24),
    ]


def test_without_a_second_device_nothing_is_exchanged(one_device):
    program = jax.jit(jnp.sin).lower(jax.ShapeDtypeStruct((5,), jnp.float32)).compile()
    found = read_program(program)
    assert found.collectives == ()
    assert (found.argument_bytes, found.scratch_bytes) == (20, 20)


def check(model):
    """The compiled step against the documentation, and against what a step has to send."""
    import scaling

    found = scaling.measure(model, scaling.Options())
    parameters, sent, exchanges = documented()[model]
    assert (found["parameters"], found["sent_bytes"]) == (parameters, sent)
    assert found["exchanges"] == f"{exchanges} all-reduce"
    scalars = (sent - 4 * parameters) / 4
    # Sums and counts of a few metrics, beside one density per site.
    assert scalars == int(scalars) and scalars <= 100


def test_a_step_sends_the_gradients_of_the_generator_and_a_few_scalars_at_once():
    check("resnet8")
    assert documented()["resnet8"][2] == 1


@pytest.mark.slow
@pytest.mark.parametrize("model", sorted(set(documented()) - {"resnet8"}))
def test_every_row_of_the_documentation_is_that_of_its_program(model):
    check(model)


def test_the_documented_parameters_are_those_of_the_generators():
    import common
    import fitting

    from jaxpath import targets

    for model, (parameters, _, _) in documented().items():
        target = targets.make_target(model)
        generator = fitting.make_generator(target, common.GeneratorOptions())
        frozen = jax.eval_shape(target.init, jax.random.key(0))
        params = jax.eval_shape(lambda p: fitting.init_generator(generator, target, p, seed=0), frozen)  # noqa: B023
        assert sum(np.prod(leaf.shape) for leaf in jax.tree.leaves(params)) == parameters
