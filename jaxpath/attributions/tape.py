"""A traced network as affine blocks between its nonlinear operations, for rules that hand back relevance.

A convolution, its BatchNorm, a residual sum, an average pool and a dense layer are one affine map as long as
no activation lies between them, so that rules see the textbook's layers whatever the network is written in.
"""

from collections.abc import Callable, Collection, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
from jax import Array
from jax.extend.core import Literal

from jaxpath.compiling import direct_sums
from jaxpath.targets.activation_detection import find_nonlinearities, write_out_activations
from jaxpath.targets.program import Atom, Operation, Program, Value

_STRUCTURAL = {
    "broadcast_in_dim",
    "concatenate",
    "convert_element_type",
    "copy",
    "dynamic_slice",
    "gather",
    "name",
    "optimization_barrier",
    "pad",
    "reduce_sum",
    "reduce_window_sum",
    "reshape",
    "rev",
    "select_n",
    "slice",
    "squeeze",
    "transpose",
}
"""Operations that move and add up values: linear in them, with no coefficient below 0."""

_INDICES = {"dynamic_slice": 1, "gather": 1}
"""Operations whose values come first, and how many of them."""

_SUMS = {"add", "add_any", "sub", "neg"}

_PRODUCTS = {"mul", "div", "dot_general", "conv_general_dilated"}
"""Operations that are linear in either operand (a quotient in the first one)."""

_MAXIMA = {"max", "reduce_max", "reduce_window_max"}
"""Operations through which all relevance goes to the largest value."""


class Pair(NamedTuple):
    """A value as the sum of its contributions above and below 0; None stands for zeros."""

    positive: Array | None
    negative: Array | None


class Node:
    """A value that depends on the image.

    Attributes:
        value: The value.
        kind: "affine" in its parents; "activation", whose parent is what goes in; "maximum"; "product", of
            two values that both depend on the image; "input"; or "stop", a value that is held fixed although
            it depends on the image, and is part of a sum.
        parents: What it is computed from; arrays are held fixed.
        run: ``run(*parents) -> value``.
        primitive: Name of the operation, and of a stop also where it is.
    """

    def __init__(
        self, value: Array, kind: str, parents: Sequence[Any] = (), run: Any = None, primitive: str = ""
    ):
        self.value, self.kind, self.parents = value, kind, tuple(parents)
        self.run, self.primitive = run, primitive

    def is_nonnegative(self) -> bool:
        """Whether it is known, without looking, that no value lies below 0."""
        if self.kind == "maximum":
            return all(isinstance(p, Node) and p.is_nonnegative() for p in self.parents)
        return self.kind == "activation" and self.primitive in ("relu", "relu6")


class Fixed(NamedTuple):
    """A value that depends on the image and is held fixed at what it is.

    Attributes:
        value: The value.
        operation: That through which no relevance goes back, and where it is.
    """

    value: Array
    operation: str


class Tape:
    """Runs a function of one image batch and keeps what it did.

    Values that come about otherwise than by affine operations, maxima, products and functions of single
    values that are 0 at 0, such as the denominator of a normalisation or the weights of an attention, are
    held fixed at what they are.

    Args:
        names: Of activations.
    """

    def __init__(self, names: Collection[str]):
        self._names = names
        self.nodes: list[Node] = []

    def trace(self, function: Callable[[Array], Array], images: Array) -> tuple[Node, Any]:
        """The input as a node, and the result, which is no node if nothing leads back from it."""
        with direct_sums():
            traced = jax.make_jaxpr(function)(images)
        image = self._keep(Node(images, "input"))
        program = write_out_activations(traced, self._names)
        (result,) = self._walk(program, [image], images=program.inputs)
        return image, result

    def _walk(self, program: Program, inputs: Sequence[Any], images: Collection[Value] = ()) -> list[Any]:
        found = find_nonlinearities(program, self._names, moving=program.inputs, images=images)
        nonlinear = {nonlinearity.exit: nonlinearity for nonlinearity in found}
        values: dict[Value, Any] = {**program.constants, **dict(zip(program.inputs, inputs, strict=True))}

        def read(atom: Atom) -> Any:
            return atom.val if isinstance(atom, Literal) else values[atom]

        for operation in program.operations:
            operands = [read(atom) for atom in operation.inputs]
            here = nonlinear.get(operation.outputs[0]) if operation.outputs else None
            if here is not None and operation.primitive not in _MAXIMA:
                passes = here.is_taken or here.hands_on
                results = self._bend(operation, operands, read(here.root) if passes else None, here.name)
            else:
                results = self._run(operation, operands)
            values.update(zip(operation.outputs, results, strict=True))
        return [read(atom) for atom in program.outputs]

    def _bend(self, operation: Operation, operands: list[Any], root: Any, name: str) -> list[Any]:
        """A function of single values of ``root``; None if it is held fixed."""
        if not isinstance(root, Node):
            return self._fix(operation, operands, name)
        (value,) = operation.run([_value(operand) for operand in operands])
        return [self._keep(Node(value, "activation", [root], None, name))]

    def _run(self, operation: Operation, operands: list[Any]) -> list[Any]:
        plain = [_value(operand) for operand in operands]
        moving = [place for place, operand in enumerate(operands) if isinstance(operand, Node)]
        primitive = operation.primitive
        if not moving:
            return self._fix(operation, operands, operation.name or primitive)
        if operation.body is not None:
            return self._walk(operation.body, operands)
        if primitive == "div" and len(moving) == 2:
            # A divisor is a scale, as in normalisations.
            operands, moving = [operands[0], plain[1]], [0]

        def run(*operands: Array) -> Array:
            return operation.run(operands)[0]

        def kept(kind: str, parents: Sequence[Any]) -> list[Any]:
            return [self._keep(Node(run(*plain), kind, parents, run, primitive))]

        if primitive in _MAXIMA:
            return kept("maximum", plain_but(operands, Node))
        if _is_affine(primitive, moving):
            return kept("affine", self._with_stops(primitive, operands))
        if primitive in _PRODUCTS and len(moving) == 2:
            return kept("product", operands)
        return self._fix(operation, operands, operation.name or primitive)

    def _fix(self, operation: Operation, operands: list[Any], name: str) -> list[Any]:
        """The results as they are, and what stopped relevance on its way through them."""
        results = operation.run([_value(operand) for operand in operands])
        before = next((operand.operation for operand in operands if isinstance(operand, Fixed)), None)
        if any(isinstance(operand, Node) for operand in operands):
            before = f"{name} at {operation.scope}" if operation.scope else name
        return results if before is None else [Fixed(result, before) for result in results]

    def _with_stops(self, primitive: str, operands: list[Any]) -> list[Any]:
        """The operands of an affine operation: what is fixed is a factor, or it stops a part of a sum."""
        if primitive in _PRODUCTS:
            return plain_but(operands, Node)
        limit = _INDICES.get(primitive, len(operands))
        first = 1 if primitive == "select_n" else 0
        return [
            self._keep(Node(operand.value, "stop", primitive=operand.operation))
            if isinstance(operand, Fixed) and first <= place < limit
            else _value(operand)
            if isinstance(operand, Fixed)
            else operand
            for place, operand in enumerate(operands)
        ]

    def _keep(self, node: Node) -> Node:
        self.nodes.append(node)
        return node


def plain_but(operands: Sequence[Any], kept: type) -> list[Any]:
    """Operands with plain arrays in place of all that is not ``kept``."""
    return [operand if isinstance(operand, kept) else _value(operand) for operand in operands]


def _value(operand: Any) -> Any:
    return operand.value if isinstance(operand, Node | Fixed) else operand


class Block:
    """The affine map that ends in ``node``: a function of the nearest values that are not affine.

    Attributes:
        leaves: These values, in the order of the tape.
        stops: Values that are held fixed, as biases are, although they depend on the image.
        node: The result.
    """

    def __init__(self, node: Node, order: Sequence[Node]):
        self.node = node
        inner: set[int] = set()
        leaves: set[int] = set()
        waiting = [node]
        while waiting:
            current = waiting.pop()
            visited = inner if current.kind == "affine" else leaves
            if id(current) in visited:
                continue
            visited.add(id(current))
            if current.kind == "affine":
                waiting += [parent for parent in current.parents if isinstance(parent, Node)]
        ends = [other for other in order if id(other) in leaves]
        self.leaves = [end for end in ends if end.kind != "stop"]
        self.stops = [end for end in ends if end.kind == "stop"]
        self._inner = [other for other in order if id(other) in inner]

    def values(self) -> list[Array]:
        """The values of the leaves."""
        return [leaf.value for leaf in self.leaves]

    def plain(self, leaves: Sequence[Array]) -> Array:
        """The block's result for other values of its leaves."""
        return self.with_stops(leaves, [stop.value for stop in self.stops])

    def with_stops(self, leaves: Sequence[Array], stops: Sequence[Array]) -> Array:
        """The block's result for other values of its leaves and of what is held fixed."""
        ends, values = [*self.leaves, *self.stops], [*leaves, *stops]
        known = {id(end): value for end, value in zip(ends, values, strict=True)}
        for node in self._inner:
            parents = [known[id(p)] if isinstance(p, Node) else p for p in node.parents]
            known[id(node)] = node.run(*parents)
        return known[id(self.node)]

    def signed(self, leaves: Sequence[Array]) -> tuple[Array, Array]:
        """Sums of the products of weight and leaf that are above and below 0, without the bias.

        Two sums of the shape of the result: positive + negative = result - bias.
        """
        known: dict[int, Any] = {
            id(leaf): Pair(value, None) if leaf.is_nonnegative() else split(value)
            for leaf, value in zip(self.leaves, leaves, strict=True)
        }
        known |= {id(stop): stop.value for stop in self.stops}
        for node in self._inner:
            parents = [known[id(p)] if isinstance(p, Node) else p for p in node.parents]
            known[id(node)] = _signed_operation(node, parents)
        positive, negative = known[id(self.node)]
        zeros = jnp.zeros_like(self.node.value)
        return zeros if positive is None else positive, zeros if negative is None else negative


def split(value: Array) -> Pair:
    """A value as what is above and what is below 0."""
    return Pair(jnp.maximum(value, 0), jnp.minimum(value, 0))


def _is_affine(primitive: str, moving: Sequence[int]) -> bool:
    if primitive in _STRUCTURAL:
        # A predicate or an index that depends on the image is no value.
        limit = _INDICES.get(primitive)
        return 0 not in moving if primitive == "select_n" else limit is None or max(moving) < limit
    if primitive == "div":
        return list(moving) == [0]
    return primitive in _SUMS or (primitive in _PRODUCTS and len(moving) == 1)


def _signed_operation(node: Node, parents: Sequence[Any]) -> Pair:
    if node.primitive in _PRODUCTS:
        return _signed_product(node, parents)
    if node.primitive in _SUMS:
        first = _pair(parents[0])
        if node.primitive == "neg":
            return _swap(first)
        second = _pair(parents[1])
        if node.primitive == "sub":
            second = _swap(second)
        shape = node.value.shape
        return Pair(*(_plus(a, b, shape) for a, b in zip(first, second, strict=True)))
    return Pair(*(_move(node, parents, part) for part in (0, 1)))


def _move(node: Node, parents: Sequence[Any], part: int) -> Array | None:
    """A structural operation on the parts above (0) or below (1) 0; fixed values among them are biases."""
    operands = [parent[part] if isinstance(parent, Pair) else parent for parent in parents]
    pairs = zip(parents, operands, strict=True)
    if all(value is None for parent, value in pairs if isinstance(parent, Pair)):
        return None
    data = (
        range(1, len(operands))
        if node.primitive == "select_n"
        else range(_INDICES.get(node.primitive, len(operands)))
    )
    filled = [
        jnp.zeros_like(_shape_of(original))
        if place in data and (value is None or not isinstance(parents[place], Pair))
        else value
        for place, (value, original) in enumerate(zip(operands, node.parents, strict=True))
    ]
    return node.run(*filled)


def _signed_product(node: Node, parents: Sequence[Any]) -> Pair:
    place = next(i for i, parent in enumerate(parents) if isinstance(parent, Pair))
    run: Callable[..., Array] = node.run
    weights = split(jnp.asarray(parents[1 - place]))
    if node.primitive == "div":
        # Splitting a divisor into its signs would divide by 0.
        weights, run = split(1 / jnp.asarray(parents[1])), jnp.multiply

    def product(value: Array | None, weight: Array | None) -> Array | None:
        if value is None or weight is None:
            return None
        return run(value, weight) if place == 0 else run(weight, value)

    shape = node.value.shape
    (up, down), (positive, negative) = parents[place], weights
    return Pair(
        _plus(product(up, positive), product(down, negative), shape),
        _plus(product(up, negative), product(down, positive), shape),
    )


def _pair(value: Any) -> Pair:
    """The parts of a sum's operand; a fixed one is a bias, which is left out."""
    return value if isinstance(value, Pair) else Pair(None, None)


def _swap(pair: Pair) -> Pair:
    """The negative of a value."""
    return Pair(*(None if part is None else -part for part in (pair.negative, pair.positive)))


def _plus(first: Array | None, second: Array | None, shape: tuple[int, ...]) -> Array | None:
    known = [part for part in (first, second) if part is not None]
    # A summand may be a scalar that the operation spreads.
    return jnp.broadcast_to(sum(known[1:], known[0]), shape) if known else None


def _shape_of(parent: Any) -> Any:
    return parent.value if isinstance(parent, Node) else parent
