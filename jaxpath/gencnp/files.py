"""A trained generator as one file: its weights, and in the header how to build it and for which target."""

import dataclasses
import json
import os
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from jaxpath.gencnp.generator import Generator
from jaxpath.types import InputError, Params, Target

_HEADER = "jaxpath.generator"


def save_generator(generator: Generator, params: Params, target: Target, path: str | Path) -> None:
    """Writes a trained generator as a ``.safetensors`` file; :func:`load_generator` reads it.

    Args:
        generator: The module.
        params: Its trained parameters.
        target: The classifier that it was trained for.
        path: The file; it is replaced in one move.
    """
    path = Path(path)
    header = {"target": target.name, **_options(generator)}
    arrays = {"/".join(key): np.asarray(value) for key, value in flatten_dict(params).items()}
    partial = path.with_suffix(".partial")
    save_file(arrays, partial, metadata={_HEADER: json.dumps(header)})
    os.replace(partial, path)


def load_generator(path: str | Path, target: Target) -> tuple[Generator, Params]:
    """Returns the generator of a file that :func:`save_generator` wrote, and its parameters.

    Args:
        path: The file, such as ``generator.safetensors`` in the folder of a run.
        target: The classifier to explain: the one that the generator was trained for.

    Raises:
        InputError: There is no such file, it holds no generator, or it is one for another target.
    """
    header, arrays = _read(Path(path))
    name = header.pop("target")
    sites = [(site.name, site.channels) for site in target.sites]
    if [tuple(site) for site in header.pop("sites")] != sites or header["num_classes"] != target.num_classes:
        raise InputError(
            f"the generator in {path} was trained for {name} with {header['num_classes']} classes; expected "
            f"one for {target.name} with {target.num_classes}: make that target, or train another generator"
        )
    # What JSON cannot say; files from before generators had cuts have none.
    converted = {"dtype": jnp.dtype(header["dtype"]), "cuts": tuple(header.get("cuts", ()))}
    generator = Generator(target.sites, **{**header, **converted})
    params = unflatten_dict({tuple(key.split("/")): jnp.asarray(value) for key, value in arrays.items()})
    return generator, params


def _options(generator: Generator) -> dict[str, Any]:
    """Everything that a generator is built from, as JSON's types."""
    names = [field.name for field in dataclasses.fields(generator) if field.name not in ("parent", "name")]
    options = {name: getattr(generator, name) for name in names}
    options["sites"] = [(site.name, site.channels) for site in generator.sites]
    options["dtype"] = jnp.dtype(generator.dtype).name
    return options


def _read(path: Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    if not path.is_file():
        raise InputError(f"there is no generator file {path}; give the generator.safetensors of a run")
    try:
        with safe_open(path, framework="numpy") as file:
            header = json.loads((file.metadata() or {}).get(_HEADER, "null"))
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118
    except SafetensorError as error:
        raise InputError(f"{path} is no readable safetensors file ({error}); train it again") from error
    if header is None:
        raise InputError(f"{path} holds no generator; give the generator.safetensors of a run")
    return header, arrays
