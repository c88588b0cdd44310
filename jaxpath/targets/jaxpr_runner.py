"""Runs a traced function with a tap on each of its activations."""

from collections.abc import Callable, Collection, Iterator, Sequence

from jax import Array
from jax.extend.core import ClosedJaxpr, Jaxpr, JaxprEqn, Literal, Var, jaxpr_as_fun, jaxprs_in_params
from jax.extend.core.primitives import closed_call_p, jit_p, remat_p

from jaxpath.targets.activation_detection import call_name, find_activations
from jaxpath.types import InputError

Visit = Callable[[str, Array], Array]
"""``visit(place, activation)`` returns what flows on in place of the activation."""

_CALLS = {jit_p: "jaxpr", remat_p: "jaxpr", closed_call_p: "call_jaxpr"}
"""Operations that only call a traced function, and the parameter that holds it."""

_SEALED = {"hard_sigmoid"}
"""Functions that are written with an activation but are none: they are not 0 at 0."""


def evaluate(
    closed: ClosedJaxpr, inputs: Sequence[Array], *, names: Collection[str], visit: Visit, scope: str = ""
) -> list[Array]:
    """Runs a traced function, and has ``visit`` replace the value of each activation, call by call.

    Args:
        closed: From ``jax.make_jaxpr``.
        inputs: Its flat arguments.
        names: See :func:`~jaxpath.targets.activation_detection.find_activations`.
        visit: Gets each activation's place, such as ``"CNN/Block_0/relu"``: the named scopes around
            it and its own name.
        scope: Named scopes around the whole.

    Returns:
        The flat results.

    Raises:
        InputError: An activation lies in a loop, in a branch or in a function with a derivative of its own.
    """
    jaxpr = closed.jaxpr
    activations = find_activations(jaxpr, names)
    values: dict[Var, Array] = dict(zip(jaxpr.constvars, closed.consts, strict=True))
    values.update(zip(jaxpr.invars, inputs, strict=True))

    def read(atom: Var | Literal) -> Array:
        return atom.val if isinstance(atom, Literal) else values[atom]

    for eqn in jaxpr.eqns:
        place = _join(scope, str(eqn.source_info.name_stack))
        operands = [read(atom) for atom in eqn.invars]
        if eqn.outvars and (name := activations.get(eqn.outvars[0])):
            (activation,) = execute(jaxpr, eqn, operands)
            results = [visit(_join(place, name), activation)]
        elif any(_has_activations(callee, names) for callee in _callees(eqn)):
            results = evaluate(_called(eqn), operands, names=names, visit=visit, scope=place)
        else:
            results = execute(jaxpr, eqn, operands)
        values.update(zip(eqn.outvars, results, strict=True))
    return [read(atom) for atom in jaxpr.outvars]


def execute(jaxpr: Jaxpr, eqn: JaxprEqn, operands: Sequence[Array]) -> list[Array]:
    """One operation of ``jaxpr`` as it stands."""
    pairs = zip(eqn.invars, operands, strict=True)
    inputs = {atom: value for atom, value in pairs if not isinstance(atom, Literal)}
    alone = jaxpr.replace(constvars=[], invars=[*inputs], outvars=eqn.outvars, eqns=[eqn])
    return jaxpr_as_fun(ClosedJaxpr(alone, []))(*inputs.values())


def _called(eqn: JaxprEqn) -> ClosedJaxpr:
    """What a call with activations inside calls."""
    if eqn.primitive not in _CALLS:
        raise InputError(
            f"an activation was found inside a {eqn.primitive.name!r}, where it has no value that could be "
            "gated; expected it outside of loops, branches and functions with a derivative of their own: "
            "write out the loop, or write the target by hand (docs/own-models.md)"
        )
    callee = eqn.params[_CALLS[eqn.primitive]]
    return callee if isinstance(callee, ClosedJaxpr) else ClosedJaxpr(callee, ())


def _has_activations(jaxpr: Jaxpr, names: Collection[str]) -> bool:
    if find_activations(jaxpr, names):
        return True
    return any(_has_activations(callee, names) for eqn in jaxpr.eqns for callee in _callees(eqn))


def _callees(eqn: JaxprEqn) -> Iterator[Jaxpr]:
    if call_name(eqn) not in _SEALED:
        yield from jaxprs_in_params(eqn.params)


def _join(*scopes: str) -> str:
    return "/".join(filter(None, scopes))
