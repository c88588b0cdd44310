"""Whether a classifier's logits depend on the patches of a site, seen in its trace without running it.

A transformer that reads its logits off a class token asks nothing of the patches behind its last attention:
their gradients are 0 there, and a map of them would show nothing of the decision.
"""

import math
from collections.abc import Sequence

import jax
import jax.numpy as jnp
import numpy as np
from jax.extend.core import Literal

from jaxpath.targets.pointwise import is_of_single_values
from jaxpath.targets.program import Opening, Operation, Program, Value, shape_of, write_out
from jaxpath.types import Given, Params, Site, Target

_MOVING = {
    *("broadcast_in_dim", "concatenate", "expand_dims", "pad", "reshape", "rev", "slice", "squeeze"),
    *("reduce_sum", "reduce_window_sum", "transpose"),
}
"""Operations that move and add up values."""

_REDUCING = {"reduce_max", "reduce_min", "reduce_prod", "reduce_and", "reduce_or", "argmax", "argmin"}
"""Operations whose results depend on all that they reduce."""

_PRODUCTS = {"dot_general", "conv_general_dilated"}

Mask = np.ndarray
"""Which elements of a value may depend on the patches, of its shape."""


def patches_reach_logits(target: Target, site: Site) -> bool:
    """Whether a logit depends on any patch of ``site``, when the activation there is put in its place.

    Args:
        target: The classifier.
        site: A map, or tokens with patches.
    """
    if site.patches is None or site.spatial == (math.prod(site.patches.grid),):
        return True
    params = jax.eval_shape(target.init, jax.random.key(0))
    images = jnp.zeros((1, *target.preprocessing.shape), jnp.float32)
    assert site.spatial is not None
    activation = jax.ShapeDtypeStruct((1, *site.spatial, site.channels), jnp.float32)

    def behind(activation: jax.Array, params: Params) -> jax.Array:
        return target.apply(params, images, {site.name: Given(activation)}).logits

    traced = jax.make_jaxpr(behind)(activation, params)
    program = write_out(traced, Opening(unrolls=lambda body: True))
    first, grid = site.patches
    marked = np.zeros(activation.shape, bool)
    marked[:, first : first + math.prod(grid)] = True
    inputs = [marked, *(None for _ in program.inputs[1:])]
    (logits,) = _follow(program, inputs)
    return logits is not None and bool(logits.any())


def _follow(program: Program, inputs: Sequence[Mask | None]) -> list[Mask | None]:
    """The masks of a program's results; None where nothing depends on the patches."""
    masks: dict[Value, Mask | None] = dict(zip(program.inputs, inputs, strict=True))

    def read(atom: Value | Literal) -> Mask | None:
        return None if isinstance(atom, Literal) else masks.get(atom)

    for operation in program.operations:
        operands = [read(atom) for atom in operation.inputs]
        if all(mask is None or not mask.any() for mask in operands):
            continue
        results = _follow(operation.body, operands) if operation.body else _results(operation, operands)
        masks.update(zip(operation.outputs, results, strict=True))
    return [read(atom) for atom in program.outputs]


def _results(operation: Operation, operands: Sequence[Mask | None]) -> list[Mask]:
    """The masks of an operation's results; of one that is not known, everything depends on the patches."""
    primitive = operation.primitive
    plain = [
        np.zeros(shape_of(atom), bool) if mask is None else mask
        for atom, mask in zip(operation.inputs, operands, strict=True)
    ]
    if is_of_single_values(primitive):
        shape = operation.outputs[0].shape
        return [np.logical_or.reduce([np.broadcast_to(mask, shape) for mask in plain])]
    if primitive in _MOVING:
        return [_run(operation, plain)]
    if primitive in _REDUCING:
        return [np.asarray(plain[0].any(axis=tuple(operation.params["axes"])))]
    if primitive in _PRODUCTS:
        whole = [np.ones(mask.shape, bool) for mask in plain]
        ways = [[plain[0], whole[1]], [whole[0], plain[1]]]
        return [np.logical_or.reduce([_run(operation, way) for way in ways])]
    return [np.ones(value.shape, bool) for value in operation.outputs]


def _run(operation: Operation, masks: Sequence[Mask]) -> Mask:
    """What an operation that only adds up makes of masks: what is above 0."""
    types = [
        jnp.result_type(atom.val) if isinstance(atom, Literal) else atom.dtype for atom in operation.inputs
    ]
    arrays = [jnp.asarray(mask, dtype) for mask, dtype in zip(masks, types, strict=True)]
    return np.asarray(operation.run(arrays)[0]) > 0
