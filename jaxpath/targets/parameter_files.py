"""Files of any pytree of parameters: safetensors with a header of its structure, and Flax's msgpack."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import serialization

from jaxpath.targets.safetensors_files import read_arrays, read_words, write_safetensors
from jaxpath.types import InputError, Params

KEY = "jaxpath.parameters"
"""Where the header of a file keeps the structure."""


def save_parameters(params: Params, path: str | Path) -> None:
    """Writes a pytree of arrays, whatever its nodes are, as a ``.safetensors`` file.

    Arrays are named by their places, such as ``layers/0/kernel``, and keep their types.

    Args:
        params: The pytree.
        path: The file.

    Raises:
        InputError: The suffix is another, a leaf is no array of numbers, or two have one name.
    """
    if Path(path).suffix != ".safetensors":
        raise InputError(f"parameters were to be written to {str(path)!r}; expected the suffix .safetensors")
    arrays: dict[str, np.ndarray] = {}
    for name, leaf in _named(params):
        array = np.ascontiguousarray(leaf)
        if array.dtype.kind in "OSU" or name in arrays:
            raise InputError(
                f"the parameters hold {name or 'a leaf'} of type {array.dtype}, or twice; expected a pytree "
                "of arrays of numbers: take out what is none, such as functions and random keys"
            )
        arrays[name] = array
    write_safetensors(path, arrays, key=KEY, text=json.dumps(_structure(params, "")))


def load_parameters(path: str | Path, like: Params | None = None) -> Params:
    """Reads what :func:`save_parameters` wrote, or Flax's ``.msgpack``.

    Args:
        path: The file.
        like: Parameters of the wanted structure, or their shapes, such as
            ``jax.eval_shape(target.init, jax.random.key(0))``. None makes dictionaries, lists and tuples as
            the file says; other nodes, such as Equinox's modules, need it.

    Raises:
        InputError: The file is missing or damaged, or holds other arrays than ``like``.
    """
    path = Path(path)
    if not path.is_file():
        raise InputError(f"there is no file {str(path)!r}; give a file of parameters")
    if path.suffix == ".msgpack":
        return _load_msgpack(path, like)
    text = read_words(path).get(KEY)
    arrays = read_arrays(path)
    if like is not None:
        return _fill(arrays, like, path)
    if text is None:
        raise InputError(
            f"{path} does not say how its arrays belong together, as targets.save_parameters writes it; give "
            "like=, parameters of the same structure"
        )
    return _rebuild(json.loads(text), arrays, path)


def holds_parameters(path: str | Path) -> bool:
    """Whether a file is one that :func:`load_parameters` reads by itself."""
    path = Path(path)
    if path.suffix == ".msgpack":
        return True
    return path.suffix == ".safetensors" and path.is_file() and KEY in read_words(path)


def _named(params: Params) -> list[tuple[str, Any]]:
    leaves = jax.tree_util.tree_leaves_with_path(params)
    return [(jax.tree_util.keystr(place, simple=True, separator="/"), leaf) for place, leaf in leaves]


def _structure(node: Any, place: str) -> Any:
    """Dictionaries, lists and tuples as they are; a leaf is its name, and another node that of its class."""

    def inner(key: Any, value: Any) -> Any:
        return _structure(value, f"{place}/{key}" if place else str(key))

    if node is None:
        return None
    if isinstance(node, Mapping):
        return {"dict": {str(key): inner(key, value) for key, value in node.items()}}
    if type(node) in (list, tuple):
        return {type(node).__name__: [inner(number, value) for number, value in enumerate(node)]}
    return place if jax.tree_util.all_leaves([node]) else {"other": type(node).__name__}


def _rebuild(structure: Any, arrays: Mapping[str, np.ndarray], path: Path) -> Any:
    if structure is None:
        return None
    if isinstance(structure, str):
        if structure not in arrays:
            raise InputError(f"{path} lacks the array {structure}, which its header names; fetch it again")
        return jnp.asarray(arrays[structure])
    ((kind, content),) = structure.items()
    if kind == "dict":
        return {key: _rebuild(value, arrays, path) for key, value in content.items()}
    if kind == "other":
        raise InputError(f"{path} holds a {content}; give like=, parameters of the same structure")
    made = [_rebuild(value, arrays, path) for value in content]
    return made if kind == "list" else tuple(made)


def _fill(arrays: Mapping[str, np.ndarray], like: Params, path: Path) -> Params:
    """``like`` with the arrays of a file in place of its own."""
    wanted = {name: tuple(np.shape(leaf)) for name, leaf in _named(like)}
    found = {name: array.shape for name, array in arrays.items()}
    if wanted != found:
        missing, unknown = sorted(wanted.keys() - found.keys()), sorted(found.keys() - wanted.keys())
        both = sorted(wanted.keys() & found.keys())
        differing = [f"{n} {found[n]} for {wanted[n]}" for n in both if found[n] != wanted[n]]
        said = [("lacks", missing), ("has besides", unknown), ("has the shapes", differing)]
        parts = [f"{verb} {', '.join(names[:3])}" for verb, names in said if names]
        raise InputError(f"{path} {'; '.join(parts)}; expected the parameters of this classifier")
    leaves = [jnp.asarray(arrays[name]) for name, _ in _named(like)]
    return jax.tree.unflatten(jax.tree.structure(like), leaves)


def _load_msgpack(path: Path, like: Params | None) -> Params:
    try:
        restored = serialization.msgpack_restore(path.read_bytes())
    except Exception as error:
        raise InputError(f"{path} is no readable msgpack of Flax ({error}); fetch it again") from error
    return restored if like is None else _fill(dict(_named(restored)), like, path)
