r"""What one training step of a generator sends between devices and keeps on each, without running it.

    XLA_FLAGS=--xla_force_host_platform_device_count=8 JAX_PLATFORMS=cpu \
        python experiments/scaling.py --models resnet18 vgg16_bn --batch-size 32

The step is compiled for the devices that are there (eight virtual ones on the CPU will do) and read: nothing
is trained and no weights are needed. Prints the table of docs/scaling.md and writes ``results.json``. The
bytes on the wire hold everywhere; the memory is that of the compiler at hand, so ask it where you train.
"""

import collections
import dataclasses
import json
import time
from pathlib import Path
from typing import Any, Literal, cast

import common
import fitting
import jax
import jax.numpy as jnp
from common import GeneratorOptions

from jaxpath import devices, gencnp, targets, training
from jaxpath.devices.mesh import POSITION
from jaxpath.types import Target


@dataclasses.dataclass(frozen=True)
class Options(common.Launch):
    """Programs to read.

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


def run(options: Options) -> None:
    """One line per model."""
    rows = []
    common.say(HEADER)
    for name in options.models:
        rows.append(measure(name, options))
        common.say(table_row(rows[-1]))
    if jax.process_index() == 0:
        options.out.mkdir(parents=True, exist_ok=True)
        (options.out / "results.json").write_text(json.dumps({"programs": rows}, indent=2) + "\n")


HEADER = """\
| target | generator's parameters | sent per step | exchanges | fixed memory | per image |
|---|---|---|---|---|---|"""


def table_row(row: dict[str, Any]) -> str:
    """A line of docs/scaling.md."""
    return (
        f"| {row['model']} | {row['parameters']:,} | {row['sent_bytes']:,} bytes | {row['exchanges']} | "
        f"{row['fixed_bytes'] / 1e6:.0f} MB | {row['bytes_per_image'] / 1e6:.1f} MB |"
    )


def measure(model: str, options: Options) -> dict[str, Any]:
    """Reads the program of one target at two batch sizes: what depends on the batch is their difference."""
    began = time.perf_counter()
    count = options.batch_size
    other_count = count // 4 or count + 1
    target = targets.make_target(model, dtype=options.precision)
    program, parameters = compile_step(target, count, options)
    other, _ = compile_step(target, other_count, options)
    memory = program.argument_bytes + program.scratch_bytes
    per_image = (memory - other.argument_bytes - other.scratch_bytes) / (count - other_count)
    names = collections.Counter(collective.name for collective in program.collectives)
    exchanges = ", ".join(f"{count} {name}" for name, count in names.items())
    sizes = [size for collective in program.collectives for size in collective.sizes]
    return {
        "model": model,
        "parameters": parameters,
        "sent_bytes": sum(sizes),
        "exchanges": exchanges or "none",
        "fixed_bytes": memory - count * per_image,
        "bytes_per_image": per_image,
        "flops_per_image": program.flops / count,
        "compile_s": round(time.perf_counter() - began, 1),
    }


def compile_step(target: Target, batch_size: int, options: Options) -> tuple[training.Program, int]:
    """The step for so many images per device, and the number of the generator's parameters."""
    mesh = devices.make_mesh()
    settings = GeneratorOptions(width=options.width, precision=options.precision)
    generator, frozen, params = generator_shapes(target, settings)
    create_state, step = fitting.make_generator_step(target, generator, settings, mesh)
    state = jax.eval_shape(lambda params: create_state(params, 0), params)
    count = batch_size * mesh.size
    image = (*target.preprocessing.crop, len(target.preprocessing.mean))
    batch = {
        "image": jax.ShapeDtypeStruct((count, *image), jnp.uint8),
        "label": jax.ShapeDtypeStruct((count,), jnp.int32),
        "weight": jax.ShapeDtypeStruct((count,), jnp.float32),
        POSITION: jax.ShapeDtypeStruct((count,), jnp.int32),
    }
    lowered = cast(jax.stages.Wrapped, step).lower(state, frozen, batch)
    return training.read_program(lowered.compile()), num_parameters(params)


def generator_shapes(target: Target, settings: GeneratorOptions) -> tuple[gencnp.Generator, Any, Any]:
    """A generator, and the shapes of the target's parameters and its own: all that a compiler needs."""
    generator = fitting.make_generator(target, settings)
    frozen = jax.eval_shape(target.init, jax.random.key(0))
    params = jax.eval_shape(lambda frozen: fitting.init_generator(generator, target, frozen, seed=0), frozen)
    return generator, frozen, params


def num_parameters(params: Any) -> int:
    """Numbers in a tree of arrays, or of their shapes."""
    return sum(leaf.size for leaf in jax.tree.leaves(params))


if __name__ == "__main__":
    common.main(run, Options, __doc__)
