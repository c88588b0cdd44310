"""The text of a compiled program, read into operations: XLA offers no other way to its kernels."""

import math
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

_HEAD = re.compile(r"^(?P<entry>ENTRY )?%?(?P<name>[\w.\-]+) \(.*\{$")
_LINE = re.compile(r"^\s+(?P<root>ROOT )?%(?P<name>[\w.\-]+) = ")
_ARRAY = re.compile(
    r"\b(?P<kind>pred|token|bf16|[usfc]\d+[a-z0-9]*)\[(?P<shape>[\d,<=]*)\](?:\{(?P<layout>[^{}]*)\})?"
)
_OPCODE = re.compile(r"\s*(?P<opcode>[a-z][\w\-]*)\(")
_NAME = re.compile(r"%([\w.\-]+)")
_CALLED = re.compile(
    r"(?P<role>calls|body|condition|to_apply|true_computation|false_computation|branch_computations)="
    r"(?P<names>%[\w.\-]+|\{[^{}]*\})"
)
_SPACE = re.compile(r"S\((\d+)\)")
_TILE = re.compile(r"T\(([\d,]+)\)")


class Buffer(NamedTuple):
    """One array of a program.

    Attributes:
        kind: XLA's name of its type, such as ``bf16``.
        shape: Its axes.
        bytes: What it takes in memory, with the padding of its layout.
        space: 0 is the chip's main memory; others are on the chip.
    """

    kind: str
    shape: tuple[int, ...]
    bytes: int
    space: int

    @property
    def size(self) -> int:
        """How many numbers it has."""
        return math.prod(self.shape)


class Operation(NamedTuple):
    """One line of a program.

    Attributes:
        name: Unique in its computation.
        opcode: Such as ``fusion``.
        results: The arrays that it returns.
        operands: Names of the operations whose results it takes.
        called: Role -> names of the computations that it runs, such as ``body`` of a loop.
        rest: The line behind the operands: windows, names in the source, estimates.
        is_root: Whether its results are those of its computation.
        inside: What stands between the brackets of a parameter or a constant.
    """

    name: str
    opcode: str
    results: tuple[Buffer, ...]
    operands: tuple[str, ...]
    called: Mapping[str, tuple[str, ...]]
    rest: str
    is_root: bool
    inside: str


Computation = Mapping[str, Operation]
"""Operations by name, in the order in which they run."""


class Listing(NamedTuple):
    """A whole program.

    Attributes:
        entry: Name of the computation that is called.
        computations: All of them, by name.
    """

    entry: str
    computations: Mapping[str, Computation]


def read_listing(text: str) -> Listing:
    """Reads what ``jax.stages.Compiled.as_text`` returns.

    Raises:
        ValueError: The text has no entry.
    """
    computations: dict[str, dict[str, Operation]] = {}
    entry, current = None, None
    for line in text.splitlines():
        if line[:1] not in (" ", "}", ""):
            head = _HEAD.match(line)
            if head is not None:
                current = computations.setdefault(head["name"], {})
                entry = head["name"] if head["entry"] else entry
        elif current is not None and (start := _LINE.match(line)) is not None:
            operation = _read_operation(line, start)
            current[operation.name] = operation
    if entry is None:
        raise ValueError("the text holds no program: no line begins with ENTRY")
    return Listing(entry, computations)


def executed(listing: Listing) -> Iterator[tuple[Operation, Computation, int]]:
    """Every operation that runs by itself, its computation, and how often it runs.

    Those within a fusion run as one with it. Of the branches of a condition, all are counted.
    """
    yield from _executed(listing, listing.entry, 1)


def _executed(listing: Listing, name: str, times: int) -> Iterator[tuple[Operation, Computation, int]]:
    computation = listing.computations[name]
    for operation in computation.values():
        if operation.opcode == "while":
            trips = trip_count(listing, computation, operation)
            for role in ("condition", "body"):
                for called in operation.called.get(role, ()):
                    yield from _executed(listing, called, times * trips)
        elif operation.opcode in ("call", "conditional"):
            for names in operation.called.values():
                for called in names:
                    yield from _executed(listing, called, times)
        else:
            yield operation, computation, times


_KNOWN_TRIPS = re.compile(r'known_trip_count"?:\{"?n"?:"?(\d+)')
_INDEX = re.compile(r"index=(\d+)")


def trip_count(listing: Listing, computation: Computation, loop: Operation) -> int:
    """How often the body of a loop runs; 1 if the program does not say.

    XLA's loops count from 0 to a constant, which is in the condition or among the initial values.
    """
    known = _KNOWN_TRIPS.search(loop.rest)
    if known is not None:
        return int(known[1])
    condition = listing.computations[loop.called["condition"][0]]
    constants = [_constant(condition, name, computation, loop) for name in _compared(listing, condition)]
    numbers = [number for number in constants if number is not None]
    return max(1, *numbers) if numbers else 1


def _compared(listing: Listing, condition: Computation) -> tuple[str, ...]:
    """Names of what the condition of a loop compares."""
    root = next(operation for operation in condition.values() if operation.is_root)
    while root.opcode in ("bitcast", "copy", "convert"):
        root = condition[root.operands[0]]
    return root.operands


def _constant(condition: Computation, name: str, computation: Computation, loop: Operation) -> int | None:
    """A number that a condition reads, if it is the same in every trip."""
    operation = condition[name]
    while operation.opcode in ("bitcast", "copy", "convert") and operation.operands:
        operation = condition[operation.operands[0]]
    if operation.opcode == "get-tuple-element":
        initial = computation.get(loop.operands[0])
        index = _INDEX.search(operation.rest)
        if initial is None or index is None or initial.opcode != "tuple":
            return None
        found = computation.get(initial.operands[int(index[1])])
        while found is not None and found.opcode in ("copy", "copy-done", "copy-start", "bitcast"):
            found = computation.get(found.operands[0])
        if found is None:
            return None
        operation = found
    if operation.opcode != "constant" or not re.fullmatch(r"-?\d+", operation.inside):
        return None
    return int(operation.inside)


def _read_operation(line: str, start: re.Match[str]) -> Operation:
    shape_end = _end_of_shape(line, start.end())
    opcode = _OPCODE.match(line, shape_end)
    if opcode is None:
        raise ValueError(f"a line of the program is not understood: {line.strip()[:200]}")
    close = _closing(line, opcode.end() - 1)
    inside = line[opcode.end() : close]
    rest = line[close + 1 :]
    called = {match["role"]: tuple(_NAME.findall(match["names"])) for match in _CALLED.finditer(rest)}
    return Operation(
        name=start["name"],
        opcode=opcode["opcode"],
        results=tuple(_buffer(match) for match in _ARRAY.finditer(line, start.end(), shape_end)),
        operands=tuple(_NAME.findall(inside)),
        called=called,
        rest=rest,
        is_root=start["root"] is not None,
        inside=inside,
    )


def _end_of_shape(line: str, begin: int) -> int:
    if line[begin] == "(":
        return _closing(line, begin) + 1
    end = line.find(" ", begin)
    return len(line) if end < 0 else end


def _closing(line: str, opening: int) -> int:
    """The place of the bracket that closes the one at ``opening``."""
    depth = 0
    for place in range(opening, len(line)):
        if line[place] == "(":
            depth += 1
        elif line[place] == ")":
            depth -= 1
            if depth == 0:
                return place
    return len(line)


def _buffer(match: re.Match[str]) -> Buffer:
    shape = tuple(int(side.strip("<=")) for side in match["shape"].split(",") if side)
    layout = match["layout"] or ""
    space = _SPACE.search(layout)
    padded = _padded(shape, layout)
    return Buffer(match["kind"], shape, -(-padded * _bits(match["kind"]) // 8), int(space[1]) if space else 0)


def _padded(shape: tuple[int, ...], layout: str) -> int:
    """Numbers with those that fill up the tiles of a layout such as ``1,0:T(8,128)(2,1)``."""
    tile = _TILE.search(layout)
    if tile is None or not shape:
        return math.prod(shape)
    order = [int(axis) for axis in layout.split(":")[0].split(",") if axis]
    sides = [shape[axis] for axis in order]  # from the innermost outwards
    tiles = [int(side) for side in tile[1].split(",")][::-1]
    if len(sides) < len(tiles):
        sides += [1] * (len(tiles) - len(sides))
    return math.prod(
        -(-side // tiles[i]) * tiles[i] if i < len(tiles) else side for i, side in enumerate(sides)
    )


def _bits(kind: str) -> int:
    if kind == "token":
        return 0
    if kind == "pred":
        return 8
    digits = re.search(r"\d+", kind)
    return int(digits[0]) if digits else 8
