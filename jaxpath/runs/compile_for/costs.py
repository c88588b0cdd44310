"""What a compiled program costs: its kernels, the bytes that they move and the time that XLA expects."""

import math
import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from jaxpath.devices.chips import Chip
from jaxpath.runs.compile_for.listing import Buffer, Computation, Listing, Operation, executed

_FREE = {
    *("parameter", "constant", "tuple", "get-tuple-element", "bitcast", "after-all", "add-dependency"),
    *("partition-id", "replica-id", "opt-barrier"),
}
"""Operations that are no kernels."""

_COLLECTIVES = ("all-reduce", "all-gather", "all-to-all", "reduce-scatter", "collective-permute")

_CYCLES = re.compile(r'"estimated_cycles":"(\d+)"')
_PLACE = re.compile(r'op_name="([^"]*)"')
_DIM_LABELS = re.compile(r"dim_labels=(\w+)_(\w+)->(\w+)")
_CONTRACTED = re.compile(r"lhs_contracting_dims=\{([\d,]*)\}")
_DILATED = re.compile(r"[lr]hs_dilate=([\dx]+)")


class Kernel(NamedTuple):
    """One operation that a device runs by itself, over all its runs in a call of the program.

    Attributes:
        name: In the program.
        place: Where it comes from in the source: scopes, separated by ``/``.
        launches: How often it runs.
        bytes: What it reads from and writes to the chip's memory.
        flops: Multiplications and additions of its products and convolutions.
        cycles: Cycles that XLA expects; None where it does not say.
        asynchronous: Whether others run at the same time, as they do beside copies to a TPU's own memory.
        collective: Whether it exchanges arrays with other chips.
        written: The arrays that one run writes to the chip's memory.
    """

    name: str
    place: str
    launches: int
    bytes: int
    flops: int
    cycles: int | None
    asynchronous: bool
    collective: bool
    written: tuple[Buffer, ...]

    def milliseconds(self, chip: Chip) -> float:
        """XLA's estimate, or the roofline: the longer of its memory's and its products' time.

        0 for what is asynchronous.
        """
        if self.asynchronous:
            return 0.0
        if self.cycles is not None and chip.clock:
            return 1e3 * self.cycles / chip.clock
        return 1e3 * max(self.bytes / chip.bandwidth, self.flops / chip.flops)


def kernels(listing: Listing) -> list[Kernel]:
    """All kernels of a program, in the order in which they run."""
    return [
        _kernel(operation, computation, times, listing)
        for operation, computation, times in executed(listing)
        if _launches(operation)
    ]


def _launches(operation: Operation) -> bool:
    # The second half of what runs beside others is no work of its own.
    if operation.opcode in _FREE or operation.opcode.endswith(("-done", "-update")):
        return False
    return not (operation.opcode == "custom-call" and "AllocateBuffer" in operation.rest)


def _kernel(operation: Operation, computation: Computation, times: int, listing: Listing) -> Kernel:
    body = _body(operation, listing)
    read, written = _read(operation, computation, body), _written(operation, body)
    cycles = _CYCLES.search(operation.rest)
    place = _PLACE.search(operation.rest)
    return Kernel(
        name=operation.name,
        place=place[1] if place else operation.opcode,
        launches=times,
        bytes=times * (read + sum(size for _, size in written)),
        flops=times * _flops(operation, computation, listing),
        cycles=times * int(cycles[1]) if cycles else None,
        asynchronous=operation.opcode.endswith("-start"),
        collective=operation.opcode.startswith(_COLLECTIVES),
        written=tuple(buffer for buffer, _ in written),
    )


def _body(operation: Operation, listing: Listing) -> Computation | None:
    """The operations of a fusion."""
    names = operation.called.get("calls", ())
    return listing.computations[names[0]] if names else None


def _read(operation: Operation, computation: Computation, body: Computation | None) -> int:
    """Bytes that a kernel takes from the chip's memory, of each operand once."""
    total = 0
    for place, name in enumerate(operation.operands):
        source = computation.get(name)
        if source is None or name in operation.operands[:place]:
            continue
        whole = sum(buffer.bytes for buffer in _of_operand(source, operation) if buffer.space == 0)
        if whole and body is not None:
            whole = int(min(whole, _used_bytes(place, body)))
        elif whole and operation.opcode in ("slice", "dynamic-slice", "slice-start", "dynamic-slice-start"):
            whole = min(whole, _results(operation)[0].bytes)
        total += whole
    return total


def _of_operand(source: Operation, reader: Operation) -> tuple[Buffer, ...]:
    if source.opcode.endswith("-start") and reader.opcode.endswith("-done"):
        return ()
    return source.results


def _used_bytes(place: int, body: Computation) -> float:
    """Bytes that a fusion uses of its parameter number ``place``, of which it may only take a slice."""
    parameter = next((o for o in body.values() if o.opcode == "parameter" and o.inside == str(place)), None)
    if parameter is None:
        return math.inf
    return _used(parameter.name, body)


def _used(name: str, body: Computation) -> float:
    total = 0.0
    for operation in body.values():
        if name not in operation.operands:
            continue
        if operation.opcode in ("dynamic-slice", "slice") and operation.operands[0] == name:
            total += operation.results[0].bytes
        elif operation.opcode == "dynamic-update-slice" and operation.operands[0] == name:
            continue  # What is not replaced stays where it is.
        elif operation.opcode == "bitcast":
            total += _used(operation.name, body)
        else:
            return math.inf
    return total


def _written(operation: Operation, body: Computation | None) -> list[tuple[Buffer, int]]:
    """The arrays that a kernel puts into the chip's memory, and how many bytes of each."""
    results = _results(operation)
    updated = [_updated_bytes(source, body) for source in _roots(body)] if body is not None else []
    if len(updated) != len(results):
        updated = [math.inf] * len(results)
    return [
        (buffer, int(min(buffer.bytes, size)))
        for buffer, size in zip(results, updated, strict=True)
        if buffer.space == 0 and buffer.bytes
    ]


def _results(operation: Operation) -> tuple[Buffer, ...]:
    """What an operation makes, without what the first half of an asynchronous one hands on besides."""
    results, given = operation.results, len(operation.operands)
    if operation.opcode == "copy-start":
        return results[:1]
    if operation.opcode in ("async-start", "slice-start", "dynamic-slice-start"):
        return results[given:]
    if operation.opcode in ("all-gather-start", "collective-permute-start"):
        return results[given : 2 * given]
    return results


def _roots(body: Computation) -> list[Operation]:
    root = next(operation for operation in body.values() if operation.is_root)
    return [body[name] for name in root.operands] if root.opcode == "tuple" else [root]


def _updated_bytes(source: Operation, body: Computation | None) -> float:
    """Bytes of a fusion's result that change; it may only replace a slice of an operand."""
    assert body is not None
    while source.opcode == "bitcast":
        source = body[source.operands[0]]
    if source.opcode != "dynamic-update-slice":
        return math.inf
    update = body[source.operands[1]]
    return sum(buffer.bytes for buffer in update.results)


def _flops(operation: Operation, computation: Computation, listing: Listing) -> int:
    """Multiplications and additions of the products and convolutions of one run of a kernel."""
    total = _own_flops(operation, computation)
    for names in operation.called.values():
        for name in names:
            body = listing.computations[name]
            total += sum(_flops(inner, body, listing) for inner in body.values())
    return total


def _own_flops(operation: Operation, computation: Computation) -> int:
    if operation.opcode not in ("convolution", "dot", "custom-call") or len(operation.operands) < 2:
        return 0
    labels, contracted = _DIM_LABELS.search(operation.rest), _CONTRACTED.search(operation.rest)
    if operation.opcode == "custom-call" and not re.search(r"cudnn|cublas|gemm", operation.rest):
        return 0
    left, right = (computation.get(name) for name in operation.operands[:2])
    if left is None or right is None or not (left.results and right.results):
        return 0
    if labels is not None:
        return _convolution_flops(operation, left.results[0], right.results[0], labels)
    if contracted is not None:
        sides = [left.results[0].shape[int(axis)] for axis in contracted[1].split(",") if axis]
        return 2 * operation.results[0].size * math.prod(sides)
    return 0


def _convolution_flops(operation: Operation, left: Buffer, right: Buffer, labels: re.Match[str]) -> int:
    """Two per output and tap; zeros between the pixels of a dilated operand are not counted."""
    images, kernel, result = left, right, operation.results[0]
    if "Filter" in operation.rest and "cudnn" in operation.rest:
        # cuDNN's operands are images and gradient, its result the kernel's gradient.
        kernel, result = operation.results[0], right
    elif "Input" in operation.rest and "cudnn" in operation.rest:
        images, result = operation.results[0], left
    del images
    taps = math.prod(side for side, label in zip(kernel.shape, labels[2], strict=True) if label != "o")
    dilation = 1
    for match in _DILATED.finditer(operation.rest):
        dilation *= math.prod(int(factor) for factor in match[1].split("x"))
    return 2 * result.size * taps // dilation


class Costs(NamedTuple):
    """One call of a program on one chip.

    Attributes:
        milliseconds: The kernels' estimated times, added up; exchanges between chips not counted.
        roofline_ms: The longer of what the memory and what the products need at least.
        bytes: Read from and written to the chip's memory.
        flops: Multiplications and additions.
        launches: Kernels that are started.
        kernels: All of them.
    """

    milliseconds: float
    roofline_ms: float
    bytes: int
    flops: float
    launches: int
    kernels: tuple[Kernel, ...]

    def largest(self, chip: Chip, count: int = 10) -> list[Mapping[str, float | str | int]]:
        """The kernels that take the longest."""
        order = sorted(self.kernels, key=lambda kernel: -kernel.milliseconds(chip))[:count]
        return [
            {
                "name": kernel.name,
                "place": kernel.place,
                "launches": kernel.launches,
                "estimated_ms": kernel.milliseconds(chip),
                "hbm_bytes": kernel.bytes,
            }
            for kernel in order
        ]

    def arrays(self, kind: str) -> Iterator[tuple[Kernel, Buffer]]:
        """The arrays of a type that are written to the chip's memory."""
        for kernel in self.kernels:
            for buffer in kernel.written:
                if buffer.kind == kind:
                    yield kernel, buffer


def read_costs(listing: Listing, chip: Chip, flops: float = 0.0) -> Costs:
    """What a program costs on a chip; nothing is run.

    Args:
        listing: The program.
        chip: What it was compiled for.
        flops: Operations by XLA's own count, where it has one; 0 counts those of products and convolutions.
    """
    found = kernels(listing)
    here = [kernel for kernel in found if not kernel.collective]
    moved, flops = sum(kernel.bytes for kernel in here), flops or sum(kernel.flops for kernel in here)
    return Costs(
        milliseconds=sum(kernel.milliseconds(chip) for kernel in here),
        roofline_ms=1e3 * max(moved / chip.bandwidth, flops / chip.flops),
        bytes=moved,
        flops=flops,
        launches=sum(kernel.launches for kernel in found),
        kernels=tuple(found),
    )
