"""How a CPU computes an adapted network: with convolutions, rectifiers and pools of the library's networks.

The results are the same up to rounding, and so are the gradients, but that values that tie in a pool share
theirs.
"""

import functools
from collections.abc import Callable, Collection, Sequence

import jax
import jax.numpy as jnp
from jax import Array, lax
from jax.extend.core import JaxprEqn, Literal

from jaxpath import compiling
from jaxpath.layers import conv_general_dilated, max_pool, relu
from jaxpath.targets.program import Operation, Program, Value

Compute = Callable[[Operation, Sequence[Array]], Sequence[Array]]
"""The results of an operation for its operands."""

_CHEAP = frozenset(("add", "sub", "mul", "div", "neg", "convert_element_type"))
"""Operations on single values that a convolution's own loop may do as well."""

_IMAGES = lax.ConvDimensionNumbers((0, 3, 1, 2), (3, 2, 0, 1), (0, 3, 1, 2))
"""Of images [B, H, W, C] and kernels [h, w, C, D]."""


def computing(program: Program, sites: Collection[Value]) -> Compute:
    """How the operations of a program are computed where it is traced now.

    Args:
        program: Of a frozen network.
        sites: The activations that are tapped, and so are read from memory by all that follows.
    """
    if not compiling.for_cpu():
        return Operation.run
    readers: dict[Value, list[Operation]] = {}
    for operation in program.operations:
        for value in operation.variables():
            readers.setdefault(value, []).append(operation)
    outputs = {atom for atom in program.outputs if isinstance(atom, Value)}

    def is_read_once(value: Value) -> bool:
        """Whether all that follows, up to a rectifier that is a site, can be done in the same loop."""
        reading = readers.get(value, [])
        if len(reading) != 1 or value in outputs:
            return False
        (operation,) = reading
        if is_relu(operation):
            return operation.outputs[0] in sites
        (result,) = operation.outputs[:1]
        same = operation.primitive in _CHEAP and result.shape == value.shape
        return same and is_read_once(result)

    def compute(operation: Operation, operands: Sequence[Array]) -> Sequence[Array]:
        if _is_convolution_of_images(operation):
            with compiling.read_once(is_read_once(operation.outputs[0])):
                return [_convolve(operation, *operands)]
        if _is_pool_of_images(operation):
            return [_pool(operation, *operands)]
        # Its gradient is read off its result: nobody but itself reads the convolution before it.
        return [relu(operands[0])] if is_relu(operation) else operation.run(operands)

    return compute


def is_relu(operation: Operation) -> bool:
    """Whether an operation is a call of ``jax.nn.relu``, whose derivative at 0 is 0."""
    if operation.primitive != "custom_jvp_call" or operation.name != "relu":
        return False
    return _source_of(operation.eqn) == _source_of_relu()


@functools.cache
def _source_of_relu() -> str | None:
    """Where JAX has its own, by which it is told from another function of that name."""
    traced = jax.make_jaxpr(jax.nn.relu)(jnp.zeros(()))
    calls = (eqn for eqn in traced.jaxpr.eqns if eqn.primitive.name == "custom_jvp_call")
    return next(map(_source_of, calls), None)


def _source_of(call: JaxprEqn) -> str | None:
    return call.params["call_jaxpr"].jaxpr.debug_info.func_src_info


def _is_convolution_of_images(operation: Operation) -> bool:
    params = operation.params
    if operation.primitive != "conv_general_dilated" or params["dimension_numbers"] != _IMAGES:
        return False
    if any(isinstance(atom, Literal) for atom in operation.inputs) or params["batch_group_count"] != 1:
        return False
    types = {atom.dtype for atom in operation.variables()} | {operation.outputs[0].dtype}
    return len(types) == 1


def _convolve(operation: Operation, images: Array, kernel: Array) -> Array:
    params = operation.params
    return conv_general_dilated(
        images,
        kernel,
        params["window_strides"],
        params["padding"],
        params["lhs_dilation"],
        params["rhs_dilation"],
        feature_group_count=params["feature_group_count"],
        precision=params["precision"],
    )


def _is_pool_of_images(operation: Operation) -> bool:
    if operation.primitive != "reduce_window_max" or len(operation.outputs[0].shape) != 4:
        return False
    params, one = operation.params, (1, 1)
    of_places = all(
        (params[name][0], params[name][3]) == one for name in ("window_dimensions", "window_strides")
    )
    dilations = (*params["base_dilation"], *params["window_dilation"])
    pads = (*params["padding"][0], *params["padding"][3])
    return of_places and set(dilations) == {1} and set(pads) == {0}


def _pool(operation: Operation, images: Array) -> Array:
    window, strides, padding = (
        operation.params[name] for name in ("window_dimensions", "window_strides", "padding")
    )
    (_, top_bottom, left_right, _) = padding
    return max_pool(
        images, (window[1], window[2]), (strides[1], strides[2]), (tuple(top_bottom), tuple(left_right))
    )
