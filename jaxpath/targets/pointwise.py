"""Functions of single values within a program: where they start, and which curve they are.

``x * min(max(x + 3, 0), 6) / 6`` is five operations and one function of x. What it is called does not show
in the operations, but in its curve, so it is evaluated at a few points.
"""

import math
import operator
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from jax.extend.core import Literal

from jaxpath.targets.program import Atom, Operation, Program, Value

_TO_THE_RIGHT = (0.01, 0.1, 0.25, 0.5, 0.75, 1, 1.5, 2, 2.5, 3, 3.5, 4, 5, 6, 8, 12, 30)
POINTS = np.array([*(-x for x in reversed(_TO_THE_RIGHT)), 0.0, *_TO_THE_RIGHT])
"""Where curves are evaluated, [P]."""

_LEARNED = 0.25
"""What stands for a parameter, such as a PReLU's slope."""

_HIGHEST = 8
"""How many roots above the nearest one are tried."""

_erf = np.vectorize(math.erf, otypes=[float])

_COMPUTED: dict[str, Callable[..., Any]] = {
    "add": operator.add,
    "add_any": operator.add,
    "sub": operator.sub,
    "mul": operator.mul,
    "div": operator.truediv,
    "neg": operator.neg,
    "max": np.maximum,
    "min": np.minimum,
    "abs": np.abs,
    "sign": np.sign,
    "floor": np.floor,
    "ceil": np.ceil,
    "exp": np.exp,
    "exp2": np.exp2,
    "expm1": np.expm1,
    "log": np.log,
    "log1p": np.log1p,
    "sin": np.sin,
    "cos": np.cos,
    "tanh": np.tanh,
    "atan": np.arctan,
    "logistic": lambda x: 1 / (1 + np.exp(-x)),
    "erf": _erf,
    "erfc": lambda x: 1 - _erf(x),
    "sqrt": np.sqrt,
    "rsqrt": lambda x: 1 / np.sqrt(x),
    "cbrt": np.cbrt,
    "square": np.square,
    "pow": np.power,
    "clamp": lambda low, x, high: np.minimum(np.maximum(x, low), high),
    "select_n": lambda which, *cases: np.choose(np.asarray(which, int), cases),
    "gt": operator.gt,
    "ge": operator.ge,
    "lt": operator.lt,
    "le": operator.le,
    "eq": operator.eq,
    "ne": operator.ne,
    "and": np.logical_and,
    "or": np.logical_or,
    "not": np.logical_not,
    "is_finite": np.isfinite,
}
"""Operations on single values."""

IDENTITIES = {
    *("convert_element_type", "copy", "name", "optimization_barrier", "pvary", "reduce_precision"),
    "stop_gradient",
}
"""Operations that hand a value on as it is."""

_SPREAD = {*IDENTITIES, "broadcast_in_dim", "reshape", "squeeze"}
"""Operations that leave a constant what it is."""

_STRAIGHT = {"add", "add_any", "sub", "neg", *IDENTITIES}
"""Operations that bend no curve; products do if both factors move."""


class Curves:
    """The functions of single values in a program.

    Args:
        program: The program.
        moving: The values that depend on what the program is applied to.
    """

    def __init__(self, program: Program, moving: set[Value]):
        self.program, self.moving = program, moving
        self.makers: dict[Value, Operation] = {}
        self.uses: dict[Value, list[tuple[Operation, int]]] = {}
        self._numbers: dict[Value, float] = {}
        self._above: dict[Value, Value | None] = {}
        self._depths: dict[Value, int] = {}
        self._bent: set[Value] = set()
        for operation in program.operations:
            self._enter(operation)

    def _enter(self, operation: Operation) -> None:
        for place, atom in enumerate(operation.inputs):
            if isinstance(atom, Value):
                self.uses.setdefault(atom, []).append((operation, place))
        for value in operation.outputs:
            self.makers[value] = operation
        if len(operation.outputs) != 1:
            return
        (value,) = operation.outputs
        if value not in self.moving:
            self._enter_constant(operation, value)
        elif is_pointwise(operation, self.moving):
            self._above[value] = above = self._nearest(self._moving_inputs(operation))
            self._depths[value] = 0 if above is None else self._depths.get(above, 0) + 1
            bends = self.bends(operation) or not self._bent.isdisjoint(operation.variables())
            if above is not None and bends:
                self._bent.add(value)

    def _enter_constant(self, operation: Operation, value: Value) -> None:
        numbers = [self.number(atom) for atom in operation.inputs]
        if not numbers or any(number is None for number in numbers):
            return
        if operation.primitive in _SPREAD:
            self._numbers[value] = float(numbers[0])  # type: ignore[arg-type]
        elif operation.primitive in _COMPUTED or operation.primitive == "integer_pow":
            with np.errstate(all="ignore"):
                self._numbers[value] = float(_compute(operation, numbers))

    def number(self, atom: Atom) -> float | None:
        """The number that a literal, or what follows from literals, is everywhere."""
        if isinstance(atom, Value):
            return self._numbers.get(atom)
        value = np.asarray(atom.val)
        return float(value.flat[0]) if value.size and (value == value.flat[0]).all() else None

    def _moving_inputs(self, operation: Operation) -> list[Value]:
        return [value for value in operation.variables() if value in self.moving]

    def _nearest(self, values: Sequence[Value]) -> Value | None:
        """The last value of which all of ``values`` are functions, point by point."""
        first, *others = values
        for other in others:
            found = self._common(first, other)
            if found is None:
                return None
            first = found
        return first

    def _common(self, first: Value, second: Value) -> Value | None:
        one: Value | None = first
        two: Value | None = second
        while one is not two:
            if one is None or two is None:
                return None
            if self._depths.get(one, 0) >= self._depths.get(two, 0):
                one = self._above.get(one)
            else:
                two = self._above.get(two)
        return one

    def bends(self, operation: Operation) -> bool:
        """Whether an operation may be no straight line in what moves."""
        if operation.primitive in ("mul", "div"):
            moving = [is_moving(atom, self.moving) for atom in operation.inputs]
            return moving[1] if operation.primitive == "div" else all(moving)
        return operation.primitive not in _STRAIGHT

    def is_bent(self, value: Value) -> bool:
        """Whether there is a bend between a value and the last layer before it."""
        return value in self._bent

    def nearest_root(self, value: Value) -> Value | None:
        """The last value of which ``value`` is a function, point by point."""
        return self._above.get(value)

    def roots(self, value: Value) -> Iterator[Value]:
        """The values of which ``value`` is a function, the nearest one first."""
        root = self._above.get(value)
        for _ in range(_HIGHEST):
            if root is None:
                return
            yield root
            root = self._above.get(root)

    def first_root(self, value: Value) -> Value:
        """The value above all: what a layer returns, or the images."""
        while (above := self._above.get(value)) is not None:
            value = above
        return value

    def curve(self, root: Value, value: Value) -> tuple[np.ndarray, bool] | None:
        """``value`` as a function of ``root`` at :data:`POINTS`, [P], and whether it has a parameter."""
        known: dict[Value, Any] = {root: POINTS}
        learned: list[Value] = []
        with np.errstate(all="ignore"):
            result = self._evaluate(value, known, learned)
        if result is None:
            return None
        return np.broadcast_to(np.asarray(result, float), POINTS.shape), bool(learned)

    def _evaluate(self, atom: Atom, known: dict[Value, Any], learned: list[Value]) -> Any:
        if isinstance(atom, Value) and atom in known:
            return known[atom]
        if isinstance(atom, Literal) or atom not in self.moving:
            return self._evaluate_fixed(atom, learned)
        operation = self.makers.get(atom)
        if operation is None or not is_pointwise(operation, self.moving):
            return None
        operands = [self._evaluate(operand, known, learned) for operand in operation.inputs]
        if any(operand is None for operand in operands):
            return None
        known[atom] = _compute(operation, operands)
        return known[atom]

    def _evaluate_fixed(self, atom: Atom, learned: list[Value]) -> Any:
        """What does not move: a number, or a function of parameters with a number in place of each."""
        number = self.number(atom)
        if number is not None or isinstance(atom, Literal):
            return _LEARNED if number is None else number
        maker = self.makers.get(atom)
        if maker is not None and maker.body is None:
            if maker.primitive in _SPREAD:
                return self._evaluate_fixed(maker.inputs[0], learned)
            if maker.primitive in _COMPUTED:
                return _compute(maker, [self._evaluate_fixed(operand, learned) for operand in maker.inputs])
        learned.append(atom)
        return _LEARNED

    def between(self, root: Value, value: Value) -> set[Value]:
        """What ``value`` is computed from after ``root``, without the two."""
        found: set[Value] = set()
        waiting = self._moving_inputs(self.makers[value])
        while waiting:
            current = waiting.pop()
            if current is root or current in found or current not in self.makers:
                continue
            found.add(current)
            waiting += self._moving_inputs(self.makers[current])
        return found


def is_moving(atom: Atom, moving: set[Value]) -> bool:
    """Whether an input of an operation depends on what the program is applied to."""
    return isinstance(atom, Value) and atom in moving


def is_pointwise(operation: Operation, moving: set[Value]) -> bool:
    """Whether each value of the result is a function of the values at its own place."""
    if len(operation.outputs) != 1:
        return False
    shape = operation.outputs[0].shape
    moved = [value for value in operation.variables() if value in moving]
    if not moved or any(value.shape != shape for value in moved):
        return False
    if operation.body is not None:
        return _is_pointwise_call(operation, moving)
    primitive = operation.primitive
    if primitive in ("broadcast_in_dim", "reshape"):
        return True
    return is_of_single_values(primitive)


def is_of_single_values(primitive: str) -> bool:
    """Whether each value of an operation's result depends on one value of each operand."""
    return primitive in _COMPUTED or primitive in IDENTITIES or primitive == "integer_pow"


def _is_pointwise_call(operation: Operation, moving: set[Value]) -> bool:
    body = operation.body
    assert body is not None
    pairs = zip(body.inputs, operation.inputs, strict=True)
    inside = body.depending_on([inner for inner, outer in pairs if is_moving(outer, moving)])
    return all(
        is_pointwise(inner, inside) for inner in body.operations if not inside.isdisjoint(inner.outputs)
    )


def _compute(operation: Operation, operands: Sequence[Any]) -> Any:
    """The result of an operation on points, in NumPy; None if it is unknown."""
    if operation.body is not None:
        return _compute_call(operation.body, operands)
    if operation.primitive == "integer_pow":
        return np.asarray(operands[0], float) ** operation.params["y"]
    if operation.primitive in _COMPUTED:
        if operation.primitive in ("and", "or", "not") and operation.outputs[0].dtype != bool:
            return None
        return _COMPUTED[operation.primitive](*(np.asarray(x) * 1.0 for x in operands))
    return operands[0]


def _compute_call(body: Program, operands: Sequence[Any]) -> Any:
    values: Mapping[Value, Any] = dict(zip(body.inputs, operands, strict=True))
    curves = Curves(body, body.depending_on([value for value in values if np.ndim(values[value])]))
    return curves._evaluate(body.outputs[0], dict(values), [])
