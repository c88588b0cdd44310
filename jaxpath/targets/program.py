"""A traced function as one list of operations: calls are opened, and loops of known length written out.

JAX's own listing, a jaxpr, nests: ``jnp.where`` is a call, a loop holds its body once. Here a pattern of
operations, such as a rectifier that is written as a selection, lies side by side whoever wrote it.
"""

from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Literal, Var, jaxpr_as_fun, jaxprs_in_params
from jax.extend.core.primitives import closed_call_p, custom_jvp_call_p, custom_vjp_call_p, jit_p, remat_p

LONGEST_LOOP = 512
"""Turns of a loop that are written out."""

_OPENED = {jit_p: "jaxpr", remat_p: "jaxpr", closed_call_p: "call_jaxpr"}
"""Operations that only call a traced function, and the parameter that holds it."""

_SEALED = {custom_jvp_call_p: "call_jaxpr", custom_vjp_call_p: "call_jaxpr"}
"""Calls that stay closed, because their derivative is not that of their operations."""


class Value:
    """What an operation returns, or an input.

    Attributes:
        shape: Its shape.
        dtype: Its type.
    """

    __slots__ = ("dtype", "shape")

    def __init__(self, shape: tuple[int, ...], dtype: Any):
        self.shape, self.dtype = shape, dtype


Atom = Value | Literal


class Operation(NamedTuple):
    """One operation of JAX.

    Attributes:
        eqn: As JAX lists it.
        listing: The jaxpr that it is part of.
        inputs: What it is applied to.
        outputs: What it returns.
        scope: The named scopes around it, such as ``"CNN/Block_0"``, with the turns of loops.
        name: Of the function that it calls, if it is a call that stays closed.
        body: What it calls then.
    """

    eqn: JaxprEqn
    listing: Jaxpr
    inputs: tuple[Atom, ...]
    outputs: tuple[Value, ...]
    scope: str
    name: str | None = None
    body: "Program | None" = None

    @property
    def primitive(self) -> str:
        """Name of the operation."""
        return self.eqn.primitive.name

    @property
    def params(self) -> Mapping[str, Any]:
        """Its parameters."""
        return self.eqn.params

    def variables(self) -> list[Value]:
        """Its inputs that are no literals."""
        return [atom for atom in self.inputs if isinstance(atom, Value)]

    def run(self, operands: Sequence[Array]) -> list[Array]:
        """Its results for other operands."""
        pairs = zip(self.eqn.invars, operands, strict=True)
        inputs = {atom: value for atom, value in pairs if not isinstance(atom, Literal)}
        alone = self.listing.replace(
            constvars=[], invars=[*inputs], outvars=self.eqn.outvars, eqns=[self.eqn]
        )
        return jaxpr_as_fun(ClosedJaxpr(alone, []))(*inputs.values())

    def bodies(self) -> Iterator[Jaxpr]:
        """The listings inside it, such as the branches of a ``cond``."""
        yield from jaxprs_in_params(self.eqn.params)


class Program(NamedTuple):
    """A traced function.

    Attributes:
        inputs: Its flat arguments.
        constants: The arrays that it closes over.
        operations: In the order in which they run; those that no result needs are left out.
        outputs: Its flat results.
    """

    inputs: tuple[Value, ...]
    constants: dict[Value, Array]
    operations: tuple[Operation, ...]
    outputs: tuple[Atom, ...]

    def run(
        self,
        arguments: Sequence[Array],
        visit: Callable[[Value, Array], Array],
        compute: Callable[[Operation, Sequence[Array]], Sequence[Array]] = Operation.run,
    ) -> list[Array]:
        """The flat results.

        Args:
            arguments: The flat arguments.
            visit: ``visit(value, array)`` returns what flows on in place of each array.
            compute: Returns the results of an operation for its operands.
        """
        values: dict[Value, Array] = {**self.constants, **dict(zip(self.inputs, arguments, strict=True))}

        def read(atom: Atom) -> Array:
            return atom.val if isinstance(atom, Literal) else values[atom]

        for operation in self.operations:
            results = compute(operation, [read(atom) for atom in operation.inputs])
            for value, result in zip(operation.outputs, results, strict=True):
                values[value] = visit(value, result)
        return [read(atom) for atom in self.outputs]

    def depending_on(self, inputs: Collection[Value]) -> set[Value]:
        """These inputs and all values that are computed from them."""
        moving = set(inputs)
        for operation in self.operations:
            if not moving.isdisjoint(operation.variables()):
                moving.update(operation.outputs)
        return moving


class Opening(NamedTuple):
    """What is written out and what stays closed.

    Attributes:
        closed: Names of functions whose calls stay closed.
        unrolls: Whether a loop with this body is written out.
        over_images: Whether a loop goes over the images of a batch, so that its turns are one batch: by its
            number, in the order in which loops are met, and its operation.
    """

    closed: Collection[str] = ()
    unrolls: Callable[[Program], bool] = lambda body: False
    over_images: Callable[[int, JaxprEqn], bool] = lambda number, loop: False


def write_out(traced: ClosedJaxpr, opening: Opening) -> Program:
    """Writes a traced function out.

    Args:
        traced: From ``jax.make_jaxpr``.
        opening: What is written out.
    """
    writer = _Writer(opening)
    inputs = tuple(_value_of(var) for var in traced.jaxpr.invars)
    outputs = writer.open(traced, inputs, "")
    return Program(inputs, writer.constants, _needed(writer.operations, outputs), tuple(outputs))


def call_name(eqn: JaxprEqn) -> str | None:
    """The name of the function that an operation calls, if it calls one by name."""
    if eqn.primitive is jit_p:
        return eqn.params["name"]
    if eqn.primitive in _SEALED:
        return eqn.params["call_jaxpr"].jaxpr.debug_info.func_name
    return None


def join(*scopes: str) -> str:
    """Named scopes, one within the other."""
    return "/".join(filter(None, scopes))


class _Writer:
    def __init__(self, opening: Opening):
        self._opening = opening
        self._bodies: dict[int, Program] = {}
        self._num_loops = 0
        self.operations: list[Operation] = []
        self.constants: dict[Value, Array] = {}

    def open(self, traced: ClosedJaxpr, inputs: Sequence[Atom], scope: str) -> list[Atom]:
        """Writes the operations of a listing, and returns its results."""
        listing = traced.jaxpr
        atoms: dict[Var, Atom] = dict(zip(listing.invars, inputs, strict=True))
        for var, constant in zip(listing.constvars, traced.consts, strict=True):
            value = atoms[var] = _value_of(var)
            self.constants[value] = constant

        def read(atom: Var | Literal) -> Atom:
            return atom if isinstance(atom, Literal) else atoms[atom]

        for eqn in listing.eqns:
            place = join(scope, str(eqn.source_info.name_stack))
            operands = [read(atom) for atom in eqn.invars]
            atoms.update(zip(eqn.outvars, self._write(listing, eqn, operands, place), strict=True))
        return [read(atom) for atom in listing.outvars]

    def _write(self, listing: Jaxpr, eqn: JaxprEqn, operands: list[Atom], scope: str) -> Sequence[Atom]:
        name = call_name(eqn)
        if eqn.primitive in _OPENED and name not in self._opening.closed:
            return self.open(_closed(eqn.params[_OPENED[eqn.primitive]]), operands, scope)
        if eqn.primitive.name == "cond" and isinstance(operands[0], Literal):
            return self.open(_closed(eqn.params["branches"][int(operands[0].val)]), operands[1:], scope)
        if eqn.primitive.name == "scan":
            self._num_loops += 1
            if eqn.params["num_carry"] == 0 and self._opening.over_images(self._num_loops - 1, eqn):
                return self._vectorise(eqn, operands, scope)
            if eqn.params["length"] <= LONGEST_LOOP and self._opening.unrolls(self._body(eqn, "jaxpr")):
                return self._unroll(eqn, operands, scope)
        holder = {**_OPENED, **_SEALED}.get(eqn.primitive)
        body = None if holder is None else self._body(eqn, holder)
        outputs = tuple(_value_of(var) for var in eqn.outvars)
        self.operations.append(Operation(eqn, listing, tuple(operands), outputs, scope, name, body))
        return outputs

    def _body(self, eqn: JaxprEqn, holder: str) -> Program:
        """What an operation holds, written out by itself, once for all of its calls."""
        traced = _closed(eqn.params[holder])
        if id(traced.jaxpr) not in self._bodies:
            opening = Opening(self._opening.closed, self._opening.unrolls)
            self._bodies[id(traced.jaxpr)] = write_out(traced, opening)
        return self._bodies[id(traced.jaxpr)]

    def _unroll(self, eqn: JaxprEqn, operands: list[Atom], scope: str) -> list[Atom]:
        """A loop, turn by turn; each turn is a scope of its own."""
        length, count = eqn.params["length"], eqn.params["num_consts"]
        constants, carried = operands[:count], operands[count : count + eqn.params["num_carry"]]
        stacked = operands[count + len(carried) :]
        results: dict[int, list[Atom]] = {}
        for turn in range(length)[:: -1 if eqn.params["reverse"] else 1]:

            def pick(*arrays: Array, turn: int = turn) -> list[Array]:
                return [lax.index_in_dim(array, turn, keepdims=False) for array in arrays]

            parts = self._apply(pick, stacked, scope)
            place = join(scope, str(turn))
            flat = self.open(_closed(eqn.params["jaxpr"]), [*constants, *carried, *parts], place)
            carried, results[turn] = flat[: len(carried)], flat[len(carried) :]
        columns = zip(*(results[turn] for turn in range(length)), strict=True)
        gathered = [self._apply(lambda *turns: [jnp.stack(turns)], list(column), scope) for column in columns]
        return [*carried, *(stack for (stack,) in gathered)]

    def _vectorise(self, eqn: JaxprEqn, operands: list[Atom], scope: str) -> list[Atom]:
        """A loop without state from turn to turn as one operation on all turns."""
        count = eqn.params["num_consts"]
        body = jaxpr_as_fun(_closed(eqn.params["jaxpr"]))
        axes = [None] * count + [0] * (len(operands) - count)
        return self._apply(jax.vmap(body, in_axes=axes, out_axes=0), operands, scope)

    def _apply(self, function: Callable[..., list[Array]], operands: list[Atom], scope: str) -> list[Atom]:
        """Writes the operations of a function of ours."""
        if not operands:
            return []
        shapes = [jax.ShapeDtypeStruct(shape_of(atom), _dtype(atom)) for atom in operands]
        return self.open(jax.make_jaxpr(function)(*shapes), operands, scope)


def _closed(callee: Any) -> ClosedJaxpr:
    return callee if isinstance(callee, ClosedJaxpr) else ClosedJaxpr(callee, ())


def _value_of(var: Var) -> Value:
    return Value(tuple(getattr(var.aval, "shape", ())), getattr(var.aval, "dtype", None))


def shape_of(atom: Atom) -> tuple[int, ...]:
    """The shape of a value or a literal."""
    return np.shape(atom.val) if isinstance(atom, Literal) else atom.shape


def _dtype(atom: Atom) -> Any:
    return jnp.result_type(atom.val) if isinstance(atom, Literal) else atom.dtype


def _needed(operations: Sequence[Operation], outputs: Sequence[Atom]) -> tuple[Operation, ...]:
    """The operations without those that no output depends on."""
    needed = {atom for atom in outputs if isinstance(atom, Value)}
    kept = []
    for operation in reversed(operations):
        if not needed.isdisjoint(operation.outputs):
            needed.update(operation.variables())
            kept.append(operation)
    return tuple(reversed(kept))
