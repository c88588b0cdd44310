"""From options to ``results.json``: what programs for accelerators cost by their compiler's own account."""

import json
import math
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import jax

from jaxpath.files import prepare_folder, write_text
from jaxpath.runs.compile_for.costs import Costs, read_costs
from jaxpath.runs.compile_for.fitting import largest_batch
from jaxpath.runs.compile_for.listing import read_listing
from jaxpath.runs.compile_for.options import CompileFor, System
from jaxpath.runs.compile_for.programs import Work, lower_floor, lower_step, make_work
from jaxpath.runs.compile_for.slices import (
    Slice,
    compiler_versions,
    read_slice,
    slice_mesh,
    without_devices,
)
from jaxpath.runs.manifest import as_json
from jaxpath.runs.run import say
from jaxpath.training import read_program

HEADER = """\
| chips | model | system | batch | type | memory | estimated | floor | ratio | bytes | ratio | images/s |
|---|---|---|---|---|---|---|---|---|---|---|---|"""


class Compiled(NamedTuple):
    """A program that was compiled and not run.

    Attributes:
        seconds: That it took to compile.
        memory: Bytes on each chip: arguments, results, temporary values and the program itself.
        costs: Of one call; None where the program does not fit.
        collectives: What the chips exchange: name and bytes of each.
    """

    seconds: float
    memory: int | None
    costs: Costs | None
    collectives: list[dict[str, Any]]


def compile_for(options: CompileFor) -> list[dict[str, Any]]:
    """Compiles every step that was asked for, prints a table, and writes ``results.json``.

    Raises:
        InputError: A slice or a model is not known, or a compiler is not installed.
    """
    without_devices()
    # Programs for devices that are not here cannot be read back, and the time to compile is a figure.
    jax.config.update("jax_enable_compilation_cache", False)
    slices = [read_slice(name) for name in options.chips]
    prepare_folder(options.out)
    programs: list[dict[str, Any]] = []
    floors: dict[tuple[Any, ...], Compiled] = {}
    say("compiled by " + ", ".join(map(" ".join, compiler_versions().items())))
    say(HEADER)
    for part in slices:
        for model in options.models:
            for system in options.systems:
                programs.append(_measure(part, model, system, options, floors))
                say(_as_row(programs[-1]))
                _write(programs, options)
    return programs


def _measure(
    part: Slice, model: str, system: System, options: CompileFor, floors: dict[tuple[Any, ...], Compiled]
) -> dict[str, Any]:
    mesh = slice_mesh(part, options.gpu_specs)
    work = make_work(system, model, options, mesh)

    def compile_step(batch_size: int) -> Compiled:
        return _compile(lambda: lower_step(work, batch_size, mesh), part, keep(f"step-{batch_size}"))

    def keep(name: str) -> Path | None:
        return options.out / f"{part.name}-{model}-{system}-{name}.txt" if options.keep_programs else None

    batch_size, step = options.batch_size, compile_step(options.batch_size)
    if options.fit:
        batch_size, step = largest_batch(compile_step, step, batch_size, part.chip)
    floor = None
    if options.floor and step.costs is not None:
        key = (part.chip.name, model, system, batch_size)
        if key not in floors:
            floors[key] = _compile(
                lambda: lower_floor(work, batch_size, mesh), part, keep(f"floor-{batch_size}")
            )
        floor = floors[key]
    return {
        "chips": part.name,
        "model": model,
        "system": system,
        "batch_per_chip": batch_size,
        "precision": options.precision,
        "image_size": list(work.target.preprocessing.crop),
        **_figures(part, work, batch_size, step, floor),
    }


def _compile(lower: Callable[[], jax.stages.Lowered], part: Slice, file: Path | None) -> Compiled:
    began = time.perf_counter()
    try:
        compiled = lower().compile()
    except jax.errors.JaxRuntimeError as error:
        if "RESOURCE_EXHAUSTED" not in str(error):
            raise
        return Compiled(time.perf_counter() - began, None, None, [])
    seconds = time.perf_counter() - began
    plan: Any = compiled.memory_analysis()
    memory = plan.argument_size_in_bytes + plan.output_size_in_bytes - plan.alias_size_in_bytes
    memory += plan.temp_size_in_bytes + plan.generated_code_size_in_bytes
    text = compiled.as_text() or ""
    if file is not None:
        write_text(file, text)
    program = read_program(compiled)
    costs = read_costs(read_listing(text), part.chip, program.flops)
    collectives = [
        {"name": collective.name, "bytes": sum(collective.sizes)} for collective in program.collectives
    ]
    return Compiled(seconds, memory, costs, collectives)


def _figures(
    part: Slice, work: Work, batch_size: int, step: Compiled, floor: Compiled | None
) -> dict[str, Any]:
    chip, costs = part.chip, step.costs
    fits = step.memory is not None and step.memory <= chip.memory
    figures: dict[str, Any] = {
        "compile_s": step.seconds,
        "memory_bytes": step.memory,
        "chip_memory_bytes": chip.memory,
        "fits": fits,
    }
    if costs is None:
        return figures
    floor_costs = floor.costs if floor is not None else None
    per_chip = 1e3 * batch_size / costs.milliseconds
    figures |= {
        "flops": costs.flops,
        "hbm_bytes": costs.bytes,
        "roofline_ms": costs.roofline_ms,
        "estimated_ms": costs.milliseconds,
        "floor_estimated_ms": floor_costs.milliseconds if floor_costs else None,
        "step_over_floor": costs.milliseconds / floor_costs.milliseconds if floor_costs else None,
        "floor_hbm_bytes": floor_costs.bytes if floor_costs else None,
        "hbm_step_over_floor": costs.bytes / floor_costs.bytes if floor_costs else None,
        "launches": costs.launches,
        "floor_launches": floor_costs.launches if floor_costs else None,
        "images_per_second_at_most": per_chip,
        "images_per_second_of_slice_at_most": per_chip * part.size,
        "collectives": step.collectives,
        "largest_kernels": costs.largest(chip),
        "float32_maps": _float32_maps(work, batch_size, costs),
    }
    return figures


def _float32_maps(work: Work, batch_size: int, costs: Costs) -> list[dict[str, Any]]:
    """Arrays in memory that are as large as a feature map and not in the type that was asked for."""
    sizes = {
        batch_size * site.channels * math.prod(site.spatial)
        for site in work.target.sites
        if site.spatial is not None and min(site.spatial) > 2
    }
    return [
        {"kernel": kernel.name, "place": kernel.place, "shape": list(buffer.shape), "bytes": buffer.bytes}
        for kernel, buffer in costs.arrays("f32")
        if buffer.size in sizes
    ]


def _write(programs: list[dict[str, Any]], options: CompileFor) -> None:
    results = {"programs": programs, "versions": compiler_versions()}
    write_text(options.out / "results.json", as_json(results))


def _as_row(program: dict[str, Any]) -> str:
    memory = program["memory_bytes"]
    used = "more than the chip has" if memory is None else f"{memory / 1e9:.1f} GB"
    cells = [program[name] for name in ("chips", "model", "system", "batch_per_chip", "precision")]
    cells.append(used if program["fits"] or memory is None else f"{used}, more than the chip has")
    if "estimated_ms" in program:
        cells.append(f"{program['estimated_ms']:.1f} ms")
        floor = program["floor_estimated_ms"]
        cells += ["", ""] if floor is None else [f"{floor:.1f} ms", f"{program['step_over_floor']:.2f}"]
        cells.append(f"{program['hbm_bytes'] / 1e9:.1f} GB")
        cells.append("" if floor is None else f"{program['hbm_step_over_floor']:.2f}")
        cells.append(f"{program['images_per_second_at_most']:,.0f}")
    return "| " + " | ".join(map(str, cells)) + " |"


def read_results(text: str) -> list[dict[str, Any]]:
    """The programs of a ``results.json``."""
    return json.loads(text)["programs"]
