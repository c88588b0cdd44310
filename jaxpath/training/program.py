"""What a compiled program sends between devices and keeps in memory, read from the program itself."""

import math
import re
from typing import NamedTuple

import jax

_COLLECTIVE = re.compile(
    r"= (?P<result>.*?) (?P<name>all-reduce|all-gather|all-to-all|reduce-scatter|collective-permute)"
    r"(?:-start)?\("
)
_ARRAY = re.compile(r"\b(?P<kind>pred|[suf]\d+|bf16|c\d+)\[(?P<shape>[\d,]*)\]")


class Collective(NamedTuple):
    """One operation in which the devices exchange arrays.

    Attributes:
        name: XLA's name, such as ``all-reduce``.
        sizes: Bytes of each array that it returns on one device.
    """

    name: str
    sizes: tuple[int, ...]


class Program(NamedTuple):
    """Costs of one call on one device, as XLA planned them.

    Attributes:
        collectives: Every exchange between the devices.
        argument_bytes: Arrays that are passed in: parameters, optimizer state, batch.
        scratch_bytes: What is kept beside the arguments while the program runs, activations above all,
            and results that take no argument's place.
        flops: Floating-point operations; 0 if XLA does not count them on this kind of device.
    """

    collectives: tuple[Collective, ...]
    argument_bytes: int
    scratch_bytes: int
    flops: float


def read_program(compiled: jax.stages.Compiled) -> Program:
    """Returns what ``jax.jit(f).lower(...).compile()`` will send and keep; nothing is run.

    Raises:
        RuntimeError: This kind of device does not plan its memory ahead.
    """
    memory = compiled.memory_analysis()
    if memory is None:
        raise RuntimeError("XLA gives no memory plan for the devices of this program")
    results = memory.output_size_in_bytes - memory.alias_size_in_bytes
    return Program(
        collectives=_collectives(compiled.as_text() or ""),
        argument_bytes=memory.argument_size_in_bytes,
        scratch_bytes=memory.temp_size_in_bytes + results,
        flops=float((compiled.cost_analysis() or {}).get("flops", 0.0)),
    )


def _collectives(text: str) -> tuple[Collective, ...]:
    return tuple(
        Collective(match["name"], tuple(_size(array) for array in _ARRAY.finditer(match["result"])))
        for match in map(_COLLECTIVE.search, text.splitlines())
        if match
    )


def _size(array: re.Match[str]) -> int:
    kind, shape = array["kind"], array["shape"]
    bits = 8 if kind == "pred" else int(re.sub(r"\D", "", kind))
    return math.prod(int(side) for side in shape.split(",") if side) * bits // 8
