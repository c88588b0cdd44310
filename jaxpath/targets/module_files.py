"""A trained Linen module beside a target as one file: its weights, and in the header how to build it."""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from flax.traverse_util import flatten_dict, unflatten_dict
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from jaxpath.files import replacing
from jaxpath.types import InputError, Params, Target


def module_options(module: nn.Module) -> dict[str, Any]:
    """Everything that a module is built from, by the names of its fields."""
    names = [field.name for field in dataclasses.fields(module) if field.name not in ("parent", "name")]
    return {name: getattr(module, name) for name in names}


def save_module(path: str | Path, kind: str, header: Mapping[str, Any], params: Params) -> None:
    """Writes a ``.safetensors`` file of ``params`` and ``header``, of JSON's types, in one move.

    Args:
        path: The file.
        kind: What it holds, such as ``"generator"``; the header is kept under ``"jaxpath.generator"``.
        header: How to build the module, and for which target.
        params: Nested dicts of arrays.
    """
    arrays = {"/".join(key): np.asarray(value) for key, value in flatten_dict(params).items()}
    with replacing(path) as partial:
        save_file(arrays, partial, metadata={f"jaxpath.{kind}": json.dumps(header)})


def read_module(path: str | Path, kind: str) -> tuple[dict[str, Any], Params]:
    """Returns header and parameters of a file that :func:`save_module` wrote.

    Raises:
        InputError: There is no such file, or it holds nothing of this kind.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"there is no {kind} file {path}; give the {kind}.safetensors of a run")
    try:
        with safe_open(path, framework="numpy") as file:
            header = json.loads((file.metadata() or {}).get(f"jaxpath.{kind}", "null"))
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise InputError(f"{path} is no readable safetensors file ({error}); train it again") from error
    if header is None:
        raise InputError(f"{path} holds no {kind}; give the {kind}.safetensors of a run")
    return header, unflatten_dict(
        {tuple(key.split("/")): jnp.asarray(value) for key, value in arrays.items()}
    )


def wrong_target(header: Mapping[str, Any], target: Target, path: str | Path, kind: str) -> InputError:
    """The error that says what the module in ``path`` was trained for, by its ``header``."""
    return InputError(
        f"the {kind} in {path} was trained for {header['target']} with {header['num_classes']} classes; "
        f"expected one for {target.name} with {target.num_classes}: make that target, or train another {kind}"
    )
