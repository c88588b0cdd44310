"""Which operations of a traced function are activations.

A traced function is a jaxpr, JAX's own list of its operations. Linen, NNX, Haiku and plain functions all
become one, so nothing here knows any of them.
"""

from collections.abc import Collection, Mapping
from typing import NamedTuple

import numpy as np
from jax.extend.core import Jaxpr, JaxprEqn, Literal, Var
from jax.extend.core.primitives import custom_jvp_call_p, custom_vjp_call_p, jit_p

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
)
"""Functions of ``jax.nn`` that are 0 at 0: closing their neurons is what not firing would have been."""

_BENDS = {"logistic": "silu", "tanh": "gelu", "erf": "gelu", "erfc": "gelu"}
"""Operations f for which x * f(x) is an activation, and its name."""

_POINTWISE = {"add", "sub", "mul", "div", "neg", "square", "integer_pow", "convert_element_type", *_BENDS}

_SPREAD = {"broadcast_in_dim", "convert_element_type", "pvary"}
"""Operations that leave a constant what it is."""


class _Operation(NamedTuple):
    """A primitive and what it is applied to."""

    primitive: str
    operands: list[Var | Literal]


class _Origin(NamedTuple):
    """A value is a function of ``root``, point by point; ``bend`` names the activation it may belong to."""

    root: Var
    bend: str | None


def find_activations(jaxpr: Jaxpr, names: Collection[str]) -> dict[Var, str]:
    """The results of activations at this level of a traced function, with their names.

    An activation is a call of a function in ``names`` that JAX traces under its name (``jax.jit`` and
    ``jax.custom_jvp`` keep it), and without a name: max(x, 0) as ``"relu"``, x * f(x) with a logistic f as
    ``"silu"``, and with tanh or erf as ``"gelu"``.
    """
    activations: dict[Var, str] = {}
    constants: dict[Var, Literal] = {}
    makers: dict[Var, _Operation] = {}
    origins: dict[Var, _Origin] = {}
    for eqn in jaxpr.eqns:
        if len(eqn.outvars) != 1:
            continue
        result = eqn.outvars[0]
        operands = [atom if isinstance(atom, Literal) else constants.get(atom, atom) for atom in eqn.invars]
        operation = _Operation(eqn.primitive.name, operands)
        name = call_name(eqn) or _rectifier(operation, makers) or _self_gated(operation, origins)
        if name is not None and name in names:
            activations[result] = name
        elif operation.primitive in _SPREAD and isinstance(operands[0], Literal):
            constants[result] = operands[0]
        elif origin := _origin(operation, origins):
            origins[result] = origin
        makers[result] = operation
    return activations


def call_name(eqn: JaxprEqn) -> str | None:
    """The name of the function that an operation calls, if it calls one by name."""
    if eqn.primitive is jit_p:
        return eqn.params["name"]
    if eqn.primitive in (custom_jvp_call_p, custom_vjp_call_p):
        return eqn.params["call_jaxpr"].jaxpr.debug_info.func_name
    return None


def _rectifier(operation: _Operation, makers: Mapping[Var, _Operation]) -> str | None:
    """``"relu"`` for max(x, 0), unless x is the variance of a normalisation."""
    if operation.primitive != "max":
        return None
    variables = _variables(operation)
    zeros = [atom for atom in operation.operands if isinstance(atom, Literal) and not np.any(atom.val)]
    return "relu" if zeros and variables and not _is_variance(variables[0], makers) else None


def _is_variance(atom: Var, makers: Mapping[Var, _Operation]) -> bool:
    """Mean of squares minus square of the mean: Flax cuts it off at 0, against rounding."""
    difference = makers.get(atom)
    if difference is None or difference.primitive != "sub" or len(_variables(difference)) < 2:
        return False
    square = makers.get(_variables(difference)[1])
    return square is not None and square.primitive == "square"


def _self_gated(operation: _Operation, origins: Mapping[Var, _Origin]) -> str | None:
    """The name of x * f(x): of two factors from the same x, one is bent."""
    product = _origin(operation, origins)
    if operation.primitive != "mul" or product is None:
        return None
    bends = [_source(atom, origins).bend for atom in _variables(operation)]
    return product.bend if len(bends) == 2 and None in bends else None


def _origin(operation: _Operation, origins: Mapping[Var, _Origin]) -> _Origin | None:
    """Where the result of a pointwise operation comes from; None if from several values."""
    if operation.primitive not in _POINTWISE:
        return None
    sources = [_source(atom, origins) for atom in _variables(operation)]
    if len({source.root for source in sources}) != 1:
        return None
    bends = [_BENDS.get(operation.primitive), *(source.bend for source in sources)]
    return _Origin(sources[0].root, next(filter(None, bends), None))


def _source(atom: Var, origins: Mapping[Var, _Origin]) -> _Origin:
    return origins.get(atom, _Origin(atom, None))


def _variables(operation: _Operation) -> list[Var]:
    return [atom for atom in operation.operands if isinstance(atom, Var)]
