"""A classifier of the user's own, named on a command line as ``package.module:function``."""

import hashlib
import importlib
import importlib.util
import os
import re
import sys
from collections.abc import Callable
from importlib.machinery import PathFinder
from types import ModuleType
from typing import Any

import jax
import jax.numpy as jnp

from jaxpath import targets
from jaxpath.types import InputError, Params, Target


def open_own_target(
    spec: str, weights: str | None = None, *, state: str | None = None
) -> tuple[Target, Params]:
    """Calls the function that ``spec`` names.

    Modules in the working folder are found too.

    Args:
        spec: ``package.module:function``; the function takes no arguments and returns a target, or a target
            and its parameters.
        weights: A file of parameters, which count instead of those that the function returns: one of
            ``targets.save_parameters``, Flax's .msgpack, or one that ``targets.load_weights`` reads.
        state: As for :func:`~jaxpath.targets.load_weights`.

    Raises:
        InputError: There is no such function, it returns something else, or there are no parameters.
    """
    made = _find(spec)()
    is_pair = isinstance(made, tuple) and not isinstance(made, Target) and len(made) == 2
    target, params = made if is_pair else (made, None)
    if not isinstance(target, Target):
        raise InputError(
            f"--target {spec} returned a {type(made).__name__}; expected a target, as targets.adapt_linen "
            "makes one, or a target and its parameters"
        )
    if weights is not None and targets.holds_parameters(weights):
        shapes = jax.eval_shape(target.init, jax.random.key(0))
        return target, targets.load_parameters(weights, like=shapes)
    if weights is not None:
        return target, targets.load_weights(target, weights, state=state)
    if params is None:
        raise InputError(
            f"--target {spec} returned a target without parameters; give --weights, or return the target and "
            "its parameters"
        )
    return target, params


def own_identity(target: Target, params: Params) -> str:
    """SHA-256 of what a classifier computes: of its operations, the arrays in them, and its parameters."""
    images = jax.ShapeDtypeStruct((1, *target.preprocessing.shape), jnp.uint8)
    program = jax.make_jaxpr(lambda params, images: target.apply(params, images).logits)(params, images)
    # Where a function lies in memory is another place at each start.
    listing = re.sub(r" at 0x[0-9a-f]+", "", str(program.jaxpr))
    known = f"{listing} {targets.digest(program.consts)} {targets.digest(params)}"
    return hashlib.sha256(known.encode()).hexdigest()


def _find(spec: str) -> Callable[[], Any]:
    module, separator, name = spec.partition(":")
    if not (module and separator and name):
        raise InputError(f"--target is {spec!r}; expected package.module:function, such as my_models:make")
    found = _import(module, spec)
    function = getattr(found, name, None)
    if not callable(function):
        names = [key for key in vars(found) if callable(getattr(found, key)) and not key.startswith("_")]
        raise InputError(
            f"--target {spec} names {name!r}, which is no function of {module}; choose one of "
            f"{', '.join(names) or 'none that it has'}"
        )
    return function


def _import(module: str, spec: str) -> ModuleType:
    """The module, from the working folder if it is there; the paths of modules stay as they are."""
    package = module.partition(".")[0]
    try:
        here = PathFinder.find_spec(package, [os.getcwd()])
        if here is not None and here.loader is not None and package not in sys.modules:
            sys.modules[package] = importlib.util.module_from_spec(here)
            try:
                here.loader.exec_module(sys.modules[package])
            except BaseException:
                del sys.modules[package]
                raise
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is not None and f"{module}.".startswith(f"{error.name}."):
            raise InputError(
                f"--target {spec} names the module {module!r}, which was not found in {os.getcwd()} or among "
                "the installed packages; expected package.module:function"
            ) from error
        raise InputError(
            f"--target {spec} needs the module {error.name!r}, which was not found; install it, or set "
            "PYTHONPATH to the folder where it lies"
        ) from error
