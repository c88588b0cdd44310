"""Runs a traced function with a tap on each of its activations."""

from collections.abc import Callable, Collection, Sequence

from jax import Array
from jax.extend.core import ClosedJaxpr

from jaxpath.targets.activation_detection import check_reachable, find_nonlinearities, write_out_activations
from jaxpath.targets.program import Value, join

Visit = Callable[[str, Array], Array]
"""``visit(place, activation)`` returns what flows on in place of the activation."""


def evaluate(
    closed: ClosedJaxpr, inputs: Sequence[Array], *, names: Collection[str], visit: Visit
) -> list[Array]:
    """Runs a traced function, and has ``visit`` replace the value of each activation, call by call.

    Args:
        closed: From ``jax.make_jaxpr``.
        inputs: Its flat arguments; parameters are constants that it closes over.
        names: See :func:`~jaxpath.targets.activation_detection.find_nonlinearities`.
        visit: Gets each activation's place, such as ``"CNN/Block_0/relu"``: the named scopes around
            it and its own name.

    Returns:
        The flat results.

    Raises:
        InputError: An activation lies in a branch, in a loop of unknown length, or in a function with a
            derivative of its own.
    """
    program = write_out_activations(closed, names)
    check_reachable(program, names, name="the traced function")
    found = find_nonlinearities(program, names, moving=program.inputs, images=program.inputs)
    places = {
        nonlinearity.exit: join(nonlinearity.scope, nonlinearity.name)
        for nonlinearity in found
        if nonlinearity.is_taken
    }

    def replace(value: Value, array: Array) -> Array:
        return visit(places[value], array) if value in places else array

    return program.run(inputs, replace)
