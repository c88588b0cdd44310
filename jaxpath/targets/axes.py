"""What the axes of a network's values are: images of a batch, places, channels.

The axes of the images are known. From there on each operation says what becomes of them: a convolution names
its axes, a dense layer makes new channels, a transposition moves axes, a reshaping merges or splits them. So
channels are found wherever they are, as in networks that are written for [B, C, H, W].
"""

import math
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from jax.extend.core import Literal

from jaxpath.targets.program import Atom, Operation, Program, Value, shape_of
from jaxpath.types import Patches


class Part(NamedTuple):
    """A factor of an axis.

    Attributes:
        kind: ``"batch"``, ``"place"``, ``"channel"``, or ``"other"``, such as the heads of an attention.
        size: Its length.
        patches: Of places that are tokens, which of them are patches of the image.
    """

    kind: str
    size: int
    patches: Patches | None = None


Axis = tuple[Part, ...] | None
"""The factors of an axis, the slowest first; none for an axis of length 1, None where nothing is known."""

Axes = tuple[Axis, ...]

_SAME_RANK = {
    *("reduce_window_sum", "reduce_window_max", "reduce_window_min", "reduce_window", "cumsum", "cumprod"),
    *("cummax", "cumlogsumexp", "sort", "rev", "select_and_gather_add", "dynamic_update_slice"),
}


def follow_axes(program: Program, images: Value, moving: set[Value]) -> dict[Value, Axes]:
    """The axes of every value that depends on the images.

    Args:
        program: The network.
        images: Its input [B, H, W, C].
        moving: The values that depend on it.
    """
    kinds = ("batch", "place", "place", "channel")
    known: dict[Value, Axes] = {
        images: tuple((Part(kind, size),) for kind, size in zip(kinds, images.shape, strict=True))
    }
    for operation in program.operations:
        for value in operation.outputs:
            if value in moving:
                known[value] = _follow(operation, value, known)
    return known


def merged(axis: Axis) -> tuple[Part, ...]:
    """The factors of an axis; none where nothing is known."""
    return axis or ()


def find_patches(axis: Axis) -> Patches | None:
    """Which places of an axis of tokens are patches, row by row."""
    parts = merged(axis)
    if [part.kind for part in parts] == ["place", "place"]:
        return Patches(0, (parts[0].size, parts[1].size))
    return parts[0].patches if len(parts) == 1 else None


def _follow(operation: Operation, value: Value, known: dict[Value, Axes]) -> Axes:
    rule = _RULES.get(operation.primitive)
    axes = None
    if rule is not None:
        axes = rule(operation, value, known)
    elif operation.primitive in _SAME_RANK or all(
        _spreads(atom.shape, value.shape) for atom in operation.variables() if atom in known
    ):
        axes = _pointwise(operation, value, known)
    if axes is None or len(axes) != len(value.shape):
        return (None,) * len(value.shape)
    return tuple(_fitted(axis, size) for axis, size in zip(axes, value.shape, strict=True))


def _spreads(shape: tuple[int, ...], target: tuple[int, ...]) -> bool:
    """Whether values of one shape meet those of another one place by place."""
    return len(shape) == len(target) and all(a in (1, b) for a, b in zip(shape, target, strict=True))


def _fitted(axis: Axis, size: int) -> Axis:
    """An axis that has another length than before, as after a strided pooling."""
    if size == 1:
        return ()
    if axis is None or math.prod(part.size for part in axis) == size:
        return axis or None
    return (Part(axis[0].kind, size),) if len(axis) == 1 else None


def _axes_of(atom: Atom, known: dict[Value, Axes]) -> Axes | None:
    return None if isinstance(atom, Literal) else known.get(atom)


def _pointwise(operation: Operation, value: Value, known: dict[Value, Axes]) -> Axes | None:
    """The axes of the operand that knows most; others fill in what it does not know."""
    found = [axes for atom in operation.inputs if (axes := _axes_of(atom, known)) is not None]
    found = [axes for axes in found if len(axes) == len(value.shape)]
    if not found:
        return None
    # Of two streams that meet, that of the patches is the older one.
    found.sort(key=lambda axes: sum(2 if find_patches(axis) else bool(axis) for axis in axes), reverse=True)
    return tuple(next((axis for axis in column if axis), column[0]) for column in zip(*found, strict=True))


def _transpose(operation: Operation, value: Value, known: dict[Value, Axes]) -> Axes | None:
    axes = _axes_of(operation.inputs[0], known)
    return None if axes is None else tuple(axes[place] for place in operation.params["permutation"])


def _squeeze(operation: Operation, value: Value, known: dict[Value, Axes]) -> Axes | None:
    return _without(_axes_of(operation.inputs[0], known), operation.params["dimensions"])


def _reduce(operation: Operation, value: Value, known: dict[Value, Axes]) -> Axes | None:
    return _without(_axes_of(operation.inputs[0], known), operation.params["axes"])


def _without(axes: Axes | None, places: Sequence[int]) -> Axes | None:
    return None if axes is None else tuple(axis for place, axis in enumerate(axes) if place not in places)


def _broadcast(operation: Operation, value: Value, known: dict[Value, Axes]) -> Axes | None:
    source = operation.inputs[0]
    axes = _axes_of(source, known)
    if axes is None or not isinstance(source, Value):
        return None
    result: list[Axis] = [None] * len(value.shape)
    for axis, size, place in zip(axes, source.shape, operation.params["broadcast_dimensions"], strict=True):
        result[place] = axis if size == value.shape[place] else None
    return tuple(result)


def _reshape(operation: Operation, value: Value, known: dict[Value, Axes]) -> Axes | None:
    """Factors are dealt out to the new axes in their order, and split where they are too large."""
    axes = _axes_of(operation.inputs[0], known)
    if axes is None or any(axis is None for axis in axes):
        return _reshape_partly(operation, value, axes)
    parts = [part for axis in axes for part in merged(axis)]
    result: list[Axis] = []
    for size in value.shape:
        taken: list[Part] = []
        missing = size
        while missing > 1:
            if not parts:
                return None
            part = parts.pop(0)
            if missing % part.size == 0:
                taken.append(part)
                missing //= part.size
            elif part.size % missing == 0:
                first, second = _split(part, missing)
                taken.append(first)
                parts.insert(0, second)
                missing = 1
            else:
                return None
        result.append(tuple(taken))
    return tuple(result)


def _reshape_partly(operation: Operation, value: Value, axes: Axes | None) -> Axes | None:
    """Where something is unknown, what leads the shape as before stays what it was."""
    source = operation.inputs[0]
    if axes is None or not isinstance(source, Value):
        return None
    result: list[Axis] = [None] * len(value.shape)
    for place, (old, new) in enumerate(zip(source.shape, value.shape, strict=False)):
        if old != new:
            break
        result[place] = axes[place]
    return tuple(result)


def _split(part: Part, size: int) -> tuple[Part, Part]:
    rest = part.size // size
    if part.kind == "place" and part.patches == Patches(0, (size, rest)):
        return Part("place", size), Part("place", rest)
    # What is split off a row of pixels is the inside of a patch; a part of the channels is a head.
    first = "other" if part.kind == "channel" else part.kind
    return Part(first, size), Part("other", rest)


def _convolve(operation: Operation, value: Value, known: dict[Value, Axes]) -> Axes | None:
    axes = _axes_of(operation.inputs[0], known)
    if axes is None:
        return None
    source, _, target = operation.params["dimension_numbers"]
    result: list[Axis] = [None] * len(value.shape)
    result[target[0]] = axes[source[0]]
    result[target[1]] = (Part("channel", value.shape[target[1]]),)
    for place in target[2:]:
        result[place] = (Part("place", value.shape[place]),)
    return tuple(result)


def _multiply(operation: Operation, value: Value, known: dict[Value, Axes]) -> Axes | None:
    """A dense layer makes channels; a product of two values of the network, such as attention, makes none."""
    (contracted, batched) = operation.params["dimension_numbers"]
    sides: list[list[Axis]] = []
    for atom, gone, shared in zip(operation.inputs, contracted, batched, strict=True):
        axes = _axes_of(atom, known)
        shape = shape_of(atom)
        free = [place for place in range(len(shape)) if place not in (*gone, *shared)]
        if axes is None:
            kind = "channel" if len([place for place in free if shape[place] > 1]) == 1 else "other"
            sides.append([(Part(kind, shape[place]),) for place in free])
        else:
            sides.append([_as_place(axes[place], operation, known) for place in free])
    leading: list[Axis] = [None] * len(batched[0])
    for atom, shared in zip(operation.inputs, batched, strict=True):
        axes = _axes_of(atom, known)
        if axes is not None:
            leading = [now or axes[place] for now, place in zip(leading, shared, strict=True)]
    return (*leading, *sides[0], *sides[1])


def _as_place(axis: Axis, operation: Operation, known: dict[Value, Axes]) -> Axis:
    """Old channels are places of a dense layer that mixes something else, as in an MLP-Mixer."""
    mixes_weights = any(_axes_of(atom, known) is None for atom in operation.inputs)
    if mixes_weights and [part.kind for part in merged(axis)] == ["channel"]:
        return (Part("place", merged(axis)[0].size),)
    return axis


def _concatenate(operation: Operation, value: Value, known: dict[Value, Axes]) -> Axes | None:
    """Tokens that are put before the patches move these; channels beside channels are channels."""
    axes = _pointwise(operation, value, known)
    place = operation.params["dimension"]
    if axes is None:
        return None
    before = 0
    joined: Axis = None
    for atom in operation.inputs:
        own = _axes_of(atom, known)
        axis = None if own is None else own[place]
        if axis and joined is None:
            patches = find_patches(axis)
            if patches is not None:
                patches = patches._replace(first=patches.first + before)
            kinds = {part.kind for part in axis}
            joined = (Part(kinds.pop(), value.shape[place], patches),) if len(kinds) == 1 else None
        before += shape_of(atom)[place]
    return (*axes[:place], joined, *axes[place + 1 :])


def _slice(operation: Operation, value: Value, known: dict[Value, Axes]) -> Axes | None:
    axes = _axes_of(operation.inputs[0], known)
    source = operation.inputs[0]
    if axes is None or not isinstance(source, Value):
        return None
    strides = operation.params["strides"] or (1,) * len(axes)
    starts = operation.params["start_indices"]
    return tuple(
        _cut(axis, start, stop) if stop != size and stride == 1 else axis
        for axis, start, stop, stride, size in zip(
            axes, starts, value.shape, strides, source.shape, strict=True
        )
    )


def _cut(axis: Axis, start: int, length: int) -> Axis:
    """A part of an axis, from ``start`` on; patches count as long as all of them are there."""
    patches = find_patches(axis)
    kinds = {part.kind for part in merged(axis)}
    if len(kinds) != 1:
        return None
    if patches is not None:
        first = patches.first - start
        complete = first >= 0 and first + math.prod(patches.grid) <= length
        patches = patches._replace(first=first) if complete else None
    return (Part(kinds.pop(), length, patches),)


def _dynamic_slice(operation: Operation, value: Value, known: dict[Value, Axes]) -> Axes | None:
    axes, source = _axes_of(operation.inputs[0], known), operation.inputs[0]
    if axes is None or not isinstance(source, Value):
        return None
    pairs = zip(axes, source.shape, value.shape, strict=True)
    return tuple(axis if old == new else None for axis, old, new in pairs)


def _split_axis(operation: Operation, value: Value, known: dict[Value, Axes]) -> Axes | None:
    return _axes_of(operation.inputs[0], known)


def _pad(operation: Operation, value: Value, known: dict[Value, Axes]) -> Axes | None:
    return _axes_of(operation.inputs[0], known)


def _gather(operation: Operation, value: Value, known: dict[Value, Axes]) -> Axes | None:
    """Axes that are taken whole stay what they are."""
    axes, source = _axes_of(operation.inputs[0], known), operation.inputs[0]
    if axes is None or not isinstance(source, Value):
        return None
    numbers, sizes = operation.params["dimension_numbers"], operation.params["slice_sizes"]
    gone = {*numbers.collapsed_slice_dims, *getattr(numbers, "operand_batching_dims", ())}
    left = [place for place in range(len(source.shape)) if place not in gone]
    result: list[Axis] = [None] * len(value.shape)
    for target, place in zip(numbers.offset_dims, left, strict=True):
        result[target] = axes[place] if sizes[place] == source.shape[place] else None
    return tuple(result)


_RULES: dict[str, Callable[[Operation, Value, dict[Value, Axes]], Any]] = {
    "transpose": _transpose,
    "squeeze": _squeeze,
    "broadcast_in_dim": _broadcast,
    "reshape": _reshape,
    "conv_general_dilated": _convolve,
    "dot_general": _multiply,
    "concatenate": _concatenate,
    "slice": _slice,
    "dynamic_slice": _dynamic_slice,
    "split": _split_axis,
    "pad": _pad,
    "gather": _gather,
    **dict.fromkeys(("reduce_sum", "reduce_max", "reduce_min", "reduce_prod", "argmax", "argmin"), _reduce),
}
