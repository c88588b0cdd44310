"""An interpreter as a target, so that explainers, pathways and every metric of the library apply to it."""

from collections.abc import Callable

import jax
from jax import Array

from jaxpath.flint.interpreter import Interpreter, InterpreterOutput, init_interpreter, interpret
from jaxpath.gating import check_gates
from jaxpath.types import Gates, Params, Target, TargetOutput


def attribute_target(target: Target, interpreter: Interpreter) -> Target:
    """The target with its attributes in place of its logits: J "classes", one of which is explained.

    The pathway of attribute j is the pathway of class j. With the label j, ``taylor_signed`` scores each
    channel by a_i dphi_j/da_i, and a masked forward tells what is left of phi_j.

    Returns:
        A target with the sites up to the deepest one that the interpreter reads. Its parameters are
        ``{"target": the target's, "interpreter": the interpreter's}``.
    """
    name = f"{target.name}.attributes"
    return _as_target(target, interpreter, name, interpreter.num_attributes, lambda out: out.attributes)


def interpreter_target(target: Target, interpreter: Interpreter) -> Target:
    """The interpreter in place of the target's last layers: a classifier that decides by its attributes.

    Where strict faithfulness is needed, it is the one to deploy (published). See :func:`attribute_target`.
    """
    name = f"{target.name}.interpreter"
    return _as_target(target, interpreter, name, target.num_classes, lambda out: out.logits)


def _as_target(
    target: Target,
    interpreter: Interpreter,
    name: str,
    num_classes: int,
    choose: Callable[[InterpreterOutput], Array],
) -> Target:
    # What lies behind the deepest map that is read has no say.
    sites = tuple(site for site in target.sites if site.name <= interpreter.sites[-1].name)

    def read(params: Params, clean: TargetOutput) -> TargetOutput:
        output = interpret(interpreter, params["interpreter"], clean.features)
        return TargetOutput(choose(output), {site.name: clean.features[site.name] for site in sites})

    def init(key: Array) -> Params:
        for_target, for_interpreter = jax.random.split(key)
        target_params = target.init(for_target)
        params = init_interpreter(interpreter, target, target_params, key=for_interpreter)
        return {"target": target_params, "interpreter": params}

    def apply(params: Params, images: Array, gates: Gates | None = None) -> TargetOutput:
        check_gates(gates, sites)
        return read(params, target.apply(params["target"], images, gates))

    def train_apply(
        params: Params, images: Array, *, key: Array, axis_name: str | None = None
    ) -> tuple[TargetOutput, Params]:
        clean, updated = target.train_apply(params["target"], images, key=key, axis_name=axis_name)
        return read(params, clean), {**params, "target": updated}

    return Target(name, sites, num_classes, target.preprocessing, init, apply, train_apply)
