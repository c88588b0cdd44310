"""Frozen parameters in the type in which they are used."""

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp
from jax.extend.core import Jaxpr, Literal, Var

from jaxpath.types import Params, Target

_CALLS = ("jit", "pjit", "closed_call", "core_call", "custom_jvp_call", "custom_vjp_call", "checkpoint")
"""Operations that hand each of their arguments to one argument of a listing within."""


def cast_frozen(target: Target, params: Params) -> Params:
    """``params`` with those arrays in bfloat16 that ``target.apply`` uses in bfloat16 only.

    A target that computes in bfloat16 rounds its float32 kernels at every use; so they are rounded once,
    take half of the memory, and every result stays as it is, bit for bit. Arrays that are also used as they
    are, such as those of a normalisation, stay as they are. So does everything of a float32 target.

    Args:
        target: The classifier.
        params: Its parameters, or their shapes.
    """
    images = jax.ShapeDtypeStruct((1, *target.preprocessing.shape), jnp.uint8)
    listing = jax.make_jaxpr(lambda params, images: target.apply(params, images))(params, images).jaxpr
    leaves, tree = jax.tree.flatten(params)
    types = [_used_type(listing, variable) for variable in listing.invars[: len(leaves)]]
    cast = [
        _in_type(leaf, dtype) if dtype == jnp.bfloat16 and leaf.dtype == jnp.float32 else leaf
        for leaf, dtype in zip(leaves, types, strict=True)
    ]
    return jax.tree.unflatten(tree, cast)


def _in_type(leaf: Any, dtype: Any) -> Any:
    if isinstance(leaf, jax.ShapeDtypeStruct):
        return jax.ShapeDtypeStruct(leaf.shape, dtype)
    return leaf.astype(dtype)


def _used_type(listing: Jaxpr, variable: Var) -> Any:
    """The one type to which every reader of ``variable`` converts it; None if there is none."""
    if any(out is variable for out in listing.outvars):
        return None
    types: set[Any] = set()
    for equation in listing.eqns:
        for place, argument in enumerate(equation.invars):
            if not isinstance(argument, Literal) and argument is variable:
                types.add(_type_in(equation, place))
    return types.pop() if len(types) == 1 else None


def _type_in(equation: Any, place: int) -> Any:
    if equation.primitive.name == "convert_element_type":
        return equation.params["new_dtype"]
    if equation.primitive.name not in _CALLS:
        return None
    inner: Sequence[Any] = [value for value in equation.params.values() if hasattr(value, "eqns")]
    if len(inner) != 1:
        return None
    body = getattr(inner[0], "jaxpr", inner[0])
    return _used_type(body, body.invars[place]) if len(body.invars) == len(equation.invars) else None
