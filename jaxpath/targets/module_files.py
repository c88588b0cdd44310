"""A trained Linen module beside a target as one file: its weights, and in the header how to build it."""

import contextlib
import dataclasses
import hashlib
import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from flax.traverse_util import flatten_dict, unflatten_dict

from jaxpath.targets.belonging import classifier_facts
from jaxpath.targets.digests import digest
from jaxpath.targets.headers import parse_object
from jaxpath.targets.safetensors_files import read_arrays, read_words, write_safetensors
from jaxpath.targets.weights import check_values
from jaxpath.types import InputError, Params, Target

_CHECKSUM = "checksum"
_OF_TARGET = ("target", "preprocessing", "target_params")
"""What a header says about the classifier, besides sites and what the module is built with."""


def module_options(module: nn.Module) -> dict[str, Any]:
    """Everything that a module is built from, by the names of its fields."""
    names = [field.name for field in dataclasses.fields(module) if field.name not in ("parent", "name")]
    return {name: getattr(module, name) for name in names}


def save_module(
    path: str | Path,
    kind: str,
    header: Mapping[str, Any],
    params: Params,
    *,
    classifier: tuple[Target, Params],
) -> None:
    """Writes a ``.safetensors`` file of ``params`` and ``header``, of JSON's types, in one move.

    The header also says to which classifier the module belongs: its name, its image size and preprocessing,
    and a digest of its parameters.

    Args:
        path: The file.
        kind: What it holds, such as ``"generator"``; the header is kept under ``"jaxpath.generator"``.
        header: How to build the module, and for which sites and classes.
        params: Nested dicts of arrays.
        classifier: The target that it was trained for, and that target's parameters.
    """
    target, target_params = classifier
    facts = {**classifier_facts(target, target_params), **header}
    arrays = {"/".join(key): np.asarray(value) for key, value in flatten_dict(params).items()}
    text = json.dumps({**facts, _CHECKSUM: _checksum(facts, arrays)})
    write_safetensors(path, arrays, key=f"jaxpath.{kind}", text=text)


def read_module(path: str | Path, kind: str) -> tuple[dict[str, Any], Params]:
    """Returns header and parameters of a file that :func:`save_module` wrote.

    Raises:
        InputError: There is no such file, it holds nothing of this kind, or it is damaged.
    """
    path = Path(path).expanduser()
    if not path.is_file():
        raise InputError(f"there is no {kind} file {path}; give the {kind}.safetensors of a run")
    words = read_words(path)
    if f"jaxpath.{kind}" not in words:
        raise InputError(f"{path} holds no {kind}; give the {kind}.safetensors of a run")
    header = parse_object(words[f"jaxpath.{kind}"], f"the header of {path}")
    arrays = read_arrays(path)
    written = header.pop(_CHECKSUM, None)
    if written not in (None, _checksum(header, arrays)):
        raise InputError(f"{path} is not as it was written: it is damaged; copy or train the {kind} again")
    check_values(arrays.items(), where=str(path))
    params = unflatten_dict({tuple(key.split("/")): jnp.asarray(value) for key, value in arrays.items()})
    return header, params


def module_fields(header: Mapping[str, Any]) -> dict[str, Any]:
    """What of a header builds the module, ``sites`` and ``layout`` aside."""
    apart = (*_OF_TARGET, "sites", "layout")
    return {name: value for name, value in header.items() if name not in apart}


@contextlib.contextmanager
def named_damage(path: str | Path, kind: str) -> Iterator[None]:
    """Within it, a field of a header that is missing or of another type is said in one sentence."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        if isinstance(error, InputError):
            raise
        raise InputError(
            f"the header of {path} builds no {kind} ({type(error).__name__}: {error}); train the {kind} again"
        ) from error


def names_parameters(path: str | Path, kind: str) -> bool:
    """Whether a file says for which parameters its module was trained; those of older versions do not.

    Raises:
        InputError: As in :func:`read_module`.
    """
    path = Path(path).expanduser()
    text = read_words(path).get(f"jaxpath.{kind}", "{}")
    return "target_params" in parse_object(text, f"the header of {path}")


def _checksum(header: Mapping[str, Any], arrays: Mapping[str, np.ndarray]) -> str:
    text = json.dumps(header, sort_keys=True)
    return hashlib.sha256(f"{text} {digest(dict(arrays))}".encode()).hexdigest()
