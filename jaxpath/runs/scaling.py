"""What one training step of a generator sends between devices and keeps on each, without running it."""

import collections
import dataclasses
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, NamedTuple, cast

import jax
import jax.numpy as jnp

from jaxpath import devices, gencnp, targets, training
from jaxpath.devices.mesh import POSITION
from jaxpath.files import write_text
from jaxpath.runs.generators import init_generator, make_generator, make_generator_step
from jaxpath.runs.manifest import as_json
from jaxpath.runs.options import GeneratorOptions
from jaxpath.runs.run import say
from jaxpath.start_up import Launch
from jaxpath.types import Params, Target


@dataclasses.dataclass(frozen=True)
class Scaling(Launch):
    """Compiles a generator's training step and reads what it sends between devices and keeps on each.

    Attributes:
        models: Names of targets.
        batch_size: Images per step on each device.
        width: Width of the generator's embeddings.
        precision: Type in which target and generator compute.
        out: Folder of the results.
    """

    models: tuple[str, ...] = ("resnet20", "resnet18", "resnet50", "vgg16_bn")
    batch_size: int = 32
    width: int = 128
    precision: Literal["float32", "bfloat16"] = "float32"
    out: Path = Path("runs/scaling")

    @property
    def generator(self) -> GeneratorOptions:
        """The generator's own options."""
        return GeneratorOptions(width=self.width, precision=self.precision)


class StepCost(NamedTuple):
    """What one step takes.

    Attributes:
        model: Name of the target.
        parameters: Of the generator.
        sent_bytes: That one device sends to the others.
        exchanges: How often it does, and by what.
        fixed_bytes: Memory that does not depend on the batch.
        bytes_per_image: Memory that does.
        flops_per_image: Floating-point operations.
        compile_s: Seconds to compile.
    """

    model: str
    parameters: int
    sent_bytes: int
    exchanges: str
    fixed_bytes: float
    bytes_per_image: float
    flops_per_image: float
    compile_s: float

    def as_row(self) -> str:
        """A line of the table under :data:`HEADER`."""
        return (
            f"| {self.model} | {self.parameters:,} | {self.sent_bytes:,} bytes | {self.exchanges} | "
            f"{self.fixed_bytes / 1e6:.0f} MB | {self.bytes_per_image / 1e6:.1f} MB |"
        )


HEADER = """\
| target | generator's parameters | sent per step | exchanges | fixed memory | per image |
|---|---|---|---|---|---|"""


def measure_scaling(options: Scaling) -> list[StepCost]:
    """Compiles the steps of all models, prints a table, and writes ``results.json``.

    Raises:
        InputError: There is no target of that name.
    """
    costs = []
    say(HEADER)
    for name in options.models:
        costs.append(measure_step(name, options))
        say(costs[-1].as_row())
    if jax.process_index() == 0:
        programs = {"programs": [cost._asdict() for cost in costs]}
        write_text(options.out / "results.json", as_json(programs))
    return costs


def measure_step(model: str, options: Scaling) -> StepCost:
    """Reads the program of one target at two batch sizes: what depends on the batch is their difference.

    Args:
        model: Name of the target.
        options: Of the generator and the batch.
    """
    began = time.perf_counter()
    count = options.batch_size
    other_count = count // 4 or count + 1
    target = targets.make_target(model, dtype=options.precision)
    program = compile_step(target, count, options.generator)
    other = compile_step(target, other_count, options.generator)
    memory = program.argument_bytes + program.scratch_bytes
    per_image = (memory - other.argument_bytes - other.scratch_bytes) / (count - other_count)
    return StepCost(
        model=model,
        parameters=num_parameters(generator_shapes(target, options.generator)[2]),
        sent_bytes=sum(size for collective in program.collectives for size in collective.sizes),
        exchanges=", ".join(_exchanges(program)) or "none",
        fixed_bytes=memory - count * per_image,
        bytes_per_image=per_image,
        flops_per_image=program.flops / count,
        compile_s=round(time.perf_counter() - began, 1),
    )


def compile_step(target: Target, batch_size: int, options: GeneratorOptions) -> training.Program:
    """The compiled training step for ``batch_size`` images per device, on all devices."""
    mesh = devices.make_mesh()
    generator, frozen, params = generator_shapes(target, options)
    create_state, step = make_generator_step(target, generator, options, mesh)
    state = jax.eval_shape(lambda params: create_state(params, 0), params)
    count = batch_size * mesh.size
    batch = {
        "image": jax.ShapeDtypeStruct((count, *target.preprocessing.shape), jnp.uint8),
        "label": jax.ShapeDtypeStruct((count,), jnp.int32),
        "weight": jax.ShapeDtypeStruct((count,), jnp.float32),
        POSITION: jax.ShapeDtypeStruct((count,), jnp.int32),
    }
    lowered = cast(jax.stages.Wrapped, step).lower(state, frozen, batch)
    return training.read_program(lowered.compile())


def generator_shapes(target: Target, options: GeneratorOptions) -> tuple[gencnp.Generator, Params, Params]:
    """A generator, and the shapes of the target's parameters and its own: all that a compiler needs."""
    generator = make_generator(target, options)
    frozen = jax.eval_shape(target.init, jax.random.key(0))
    params = jax.eval_shape(lambda frozen: init_generator(generator, target, frozen, seed=0), frozen)
    return generator, frozen, params


def num_parameters(params: Any) -> int:
    """Numbers in a tree of arrays, or of their shapes."""
    return sum(leaf.size for leaf in jax.tree.leaves(params))


def _exchanges(program: training.Program) -> Iterator[str]:
    """How many collectives of each kind there are."""
    names = collections.Counter(collective.name for collective in program.collectives)
    return (f"{number} {name}" for name, number in names.items())
