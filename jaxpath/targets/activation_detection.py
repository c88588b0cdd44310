"""Which operations of a traced function are activations.

A traced function is a jaxpr, JAX's own list of its operations. Linen, NNX, Haiku and plain functions all
become one, so nothing here knows any of them.
"""

from collections.abc import Callable, Collection
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jax.extend.core import ClosedJaxpr, JaxprEqn

from jaxpath.targets.curve_names import hands_on, is_straight, name_curve
from jaxpath.targets.pointwise import IDENTITIES, POINTS, Curves, is_moving, is_pointwise
from jaxpath.targets.program import Atom, Opening, Operation, Program, Value, write_out
from jaxpath.types import InputError

ACTIVATIONS = (
    "relu",
    "relu6",
    "leaky_relu",
    "elu",
    "celu",
    "selu",
    "silu",
    "gelu",
    "mish",
    "hard_silu",
    "prelu",
    "clipped_relu",
)
"""Activations that are 0 at 0: closing their neurons is what not firing would have been.

Names are those of ``jax.nn``. A ``"prelu"`` has a slope that is learned, and a ``"clipped_relu"`` ends at
another number than 6.
"""

_ALGEBRA = {"exp", "exp2", "integer_pow", "square", "sqrt", "rsqrt", "log", "pow", "div", "mul"}
"""Operations of normalisations and of softmax, which bend and are part of many things."""

_PASSES = {
    *IDENTITIES,
    *("add", "add_any", "sub", "max", "min", "clamp", "select_n"),
    *("broadcast_in_dim", "reshape", "squeeze", "transpose", "expand_dims"),
}
"""Operations behind which a scale is still a scale."""


class Nonlinearity(NamedTuple):
    """A function of single values that bends.

    Attributes:
        name: That of the function called, or of its curve, or of the operation.
        root: What goes in.
        exit: What comes out.
        scope: The named scopes around it.
        is_taken: Whether it is an activation whose neurons can be closed.
        hands_on: Whether its result is 0 where its argument is, and has the sign of it elsewhere or is 0.
        follows: Whether it only goes on from an activation that is taken, as the square of a ReLU.
        is_of_pixels: Whether it is a function of single pixels, such as a clipping before the first layer.
    """

    name: str
    root: Value
    exit: Value
    scope: str
    is_taken: bool
    hands_on: bool
    follows: bool = False
    is_of_pixels: bool = False


def write_out_activations(
    traced: ClosedJaxpr,
    names: Collection[str],
    over_images: Callable[[int, JaxprEqn], bool] = lambda number, loop: False,
) -> Program:
    """A traced function with the calls in ``names`` closed, and loops written out that hold an activation.

    Args:
        traced: From ``jax.make_jaxpr``.
        names: Of activations.
        over_images: See :class:`~jaxpath.targets.program.Opening`.
    """

    def holds_activations(body: Program) -> bool:
        return any(found.is_taken for found in find_nonlinearities(body, names, moving=body.inputs))

    return write_out(traced, Opening(frozenset(names), holds_activations, over_images))


def find_nonlinearities(
    program: Program, names: Collection[str], *, moving: Collection[Value], images: Collection[Value] = ()
) -> list[Nonlinearity]:
    """The functions of single values that bend, in the order of their results.

    An activation is a call of a function in ``names`` that JAX traces under its name (``jax.jit`` and
    ``jax.custom_jvp`` keep it), and without a name: whatever has the curve of one that is in ``names``.

    Args:
        program: See :func:`write_out_activations`.
        names: Of activations.
        moving: The inputs of the program that are no parameters.
        images: Those of them that are pixels: a function of single pixels is no activation.
    """
    curves = Curves(program, program.depending_on(moving))
    found = [
        nonlinearity
        for operation in program.operations
        if (nonlinearity := _judge(operation, curves, names, set(images))) is not None
    ]
    return _without_parts(found, curves)


def _judge(
    operation: Operation, curves: Curves, names: Collection[str], images: set[Value]
) -> Nonlinearity | None:
    if len(operation.outputs) != 1 or operation.primitive in IDENTITIES:
        return None
    (value,) = operation.outputs
    if value not in curves.moving or not jnp.issubdtype(value.dtype, jnp.floating):
        return None
    found = _call(operation, curves, names) or _known(operation, curves) or _unknown(operation, curves)
    if found is None or _only_scales(value, curves):
        return None
    found = found._replace(is_of_pixels=curves.first_root(found.root) in images)
    if _is_off_zero(found, curves):
        return found._replace(hands_on=False)
    return found._replace(is_taken=found.name in names and not found.is_of_pixels)


def _call(operation: Operation, curves: Curves, names: Collection[str]) -> Nonlinearity | None:
    if operation.name is None or operation.name not in names:
        return None
    (value,) = operation.outputs
    root = next(inner for inner in operation.variables() if inner in curves.moving)
    evaluated = curves.curve(root, value) if root.shape == value.shape else None
    rises = evaluated is not None and hands_on(evaluated[0])
    return Nonlinearity(operation.name, root, value, operation.scope, False, rises)


def _known(operation: Operation, curves: Curves) -> Nonlinearity | None:
    (value,) = operation.outputs
    if not curves.is_bent(value):
        return None
    for root in curves.roots(value):
        evaluated = curves.curve(root, value)
        if evaluated is not None and (name := name_curve(evaluated[0], learned=evaluated[1])):
            return Nonlinearity(name, root, value, operation.scope, False, hands_on(evaluated[0]))
    return None


def _unknown(operation: Operation, curves: Curves) -> Nonlinearity | None:
    """A bend that has no name, other than those of normalisations and of softmax."""
    (value,) = operation.outputs
    if not is_pointwise(operation, curves.moving) or not curves.bends(operation):
        return None
    name, scope = _operation_name(operation), operation.scope
    if curves.nearest_root(value) is None:
        chooses = operation.primitive in ("max", "min") or (
            operation.primitive == "select_n" and _is_of_places(operation.inputs[0], curves)
        )
        root = operation.variables()[-1]
        return Nonlinearity(name, root, value, scope, False, False) if chooses else None
    bent = []
    for root in curves.roots(value):
        evaluated = curves.curve(root, value)
        if evaluated is None:
            return Nonlinearity(name, root, value, scope, False, False)
        if not is_straight(evaluated[0]):
            bent.append(Nonlinearity(name, root, value, scope, False, hands_on(evaluated[0])))
    rising = [found for found in bent if found.hands_on]
    if rising or operation.primitive in _ALGEBRA:
        return rising[0] if rising else None
    return bent[0] if bent else None


def _is_of_places(condition: Atom, curves: Curves) -> bool:
    """Whether a condition is another one at each place, and not one for a whole image."""
    if not is_moving(condition, curves.moving):
        return False
    maker = curves.makers.get(condition)  # type: ignore[arg-type]
    return maker is None or maker.primitive != "broadcast_in_dim"


def _is_off_zero(found: Nonlinearity, curves: Curves) -> bool:
    """Whether a number is added before the activation that makes it fire at rest, as in a hard sigmoid."""
    maker = curves.makers.get(found.root)
    if found.name not in ("relu6", "clipped_relu") or maker is None or maker.primitive not in ("add", "sub"):
        return False
    numbers = [curves.number(atom) for atom in maker.inputs]
    above = curves.nearest_root(found.root)
    if above is None or all(number is None for number in numbers):
        return False
    evaluated = curves.curve(above, found.exit)
    return evaluated is not None and abs(evaluated[0][POINTS == 0][0]) > 1e-6


def _only_scales(value: Value, curves: Curves) -> bool:
    """Whether all that is made of a value is a divisor or a root, as of the variance of a normalisation.

    Cut off at 0 against rounding, a variance looks like a rectified value.
    """
    waiting, seen, scales = [value], set(), False
    while waiting:
        current = waiting.pop()
        if current in seen:
            continue
        seen.add(current)
        if not curves.uses.get(current):
            return False
        for operation, place in curves.uses[current]:
            if _is_scale(operation, place):
                scales = True
            elif operation.primitive in _PASSES or _is_scaled(operation, curves):
                waiting += operation.outputs
            else:
                return False
    return scales


def _is_scale(operation: Operation, place: int) -> bool:
    if operation.primitive in ("rsqrt", "sqrt", "log"):
        return True
    if operation.primitive == "integer_pow":
        return operation.params["y"] < 0
    return (operation.primitive == "div" and place == 1) or (operation.primitive == "pow" and place == 0)


def _is_scaled(operation: Operation, curves: Curves) -> bool:
    """A product with a number."""
    return operation.primitive in ("mul", "div") and any(
        curves.number(atom) is not None for atom in operation.inputs
    )


def _without_parts(found: list[Nonlinearity], curves: Curves) -> list[Nonlinearity]:
    """Leaves out what is only a part of another one: the ReLU6 of a hard SiLU."""
    parts: set[Value] = set()
    for whole in found:
        if whole.name == _operation_name(curves.makers[whole.exit]):
            continue
        inside = curves.between(whole.root, whole.exit)
        for value in inside:
            readers = [operation for operation, _ in curves.uses.get(value, ())]
            if all(whole.exit in reader.outputs or reader.outputs[0] in inside for reader in readers):
                parts.add(value)
    kept = [nonlinearity for nonlinearity in found if nonlinearity.exit not in parts]
    taken = {nonlinearity.exit for nonlinearity in kept if nonlinearity.is_taken}
    return [nonlinearity._replace(follows=_follows(nonlinearity, taken, curves)) for nonlinearity in kept]


def _follows(found: Nonlinearity, taken: set[Value], curves: Curves) -> bool:
    if found.is_taken or not found.hands_on:
        return False
    return found.root in taken or not taken.isdisjoint(curves.between(found.root, found.exit))


def _operation_name(operation: Operation) -> str:
    """What a nonlinearity is called whose curve has no name."""
    return operation.name or {"select_n": "where"}.get(operation.primitive, operation.primitive)


def check_reachable(program: Program, names: Collection[str], *, name: str) -> None:
    """Raises an :class:`InputError` if an activation lies where it cannot be gated, with the way out."""
    for operation in program.operations:
        if not _holds_activation(operation, names):
            continue
        kind = operation.primitive
        called = f"{operation.name!r}, a {kind!r}" if operation.name else f"a {kind!r}"
        raise InputError(
            f"an activation of {name} was found inside a {kind!r} at {operation.scope or 'the top level'!r}, "
            "where it has no value that could be gated; expected it outside of branches, of loops whose "
            f"length is not known, and of functions with a derivative of their own ({called}): "
            f"{_REMEDIES.get(kind, _REMEDIES['custom']).format(name=operation.name)}, or write the target by "
            "hand (docs/own-models.md)"
        )


_REMEDIES = {
    "cond": "compute both branches and choose with jnp.where",
    "while": "give the loop a number of turns that is known, as lax.scan and lax.fori_loop have it",
    "scan": "write a loop as long as this in Python",
    "custom": "add {name!r} to activations, if it is the activation itself",
}


def _holds_activation(operation: Operation, names: Collection[str]) -> bool:
    """Whether an operation that stays closed, such as a ``cond``, has an activation inside."""
    if operation.name is not None and operation.name in names:
        return False
    for body in operation.bodies():
        constants = [np.zeros(())] * len(body.constvars)
        program = write_out_activations(ClosedJaxpr(body, constants), names)
        found = find_nonlinearities(program, names, moving=program.depending_on(program.inputs))
        if any(nonlinearity.is_taken for nonlinearity in found):
            return True
        if any(_holds_activation(inner, names) for inner in program.operations):
            return True
    return False
