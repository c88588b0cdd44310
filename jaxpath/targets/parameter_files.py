"""Files of any pytree of parameters: safetensors with its structure, Flax's msgpack, Orbax's folders.

A checkpoint holds more than parameters, such as an optimizer's state. They are found in it by their names and
shapes.
"""

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import serialization

from jaxpath.files import expand_home
from jaxpath.targets.orbax_folders import holds_pytree, read_pytree
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
        array = np.asarray(leaf, order="C")  # keeps a scalar's shape
        if array.dtype.kind in "OSU" or name in arrays:
            raise InputError(
                f"the parameters hold {name or 'a leaf'} of type {array.dtype}, or twice; expected a pytree "
                "of arrays of numbers: take out what is none, such as functions and random keys"
            )
        arrays[name] = array
    write_safetensors(path, arrays, key=KEY, text=json.dumps(_structure(params, "")))


def load_parameters(path: str | Path, like: Params | None = None) -> Params:
    """Reads what :func:`save_parameters` wrote, Flax's msgpack, or a checkpoint of Orbax or Flax.

    Args:
        path: The file; or a folder of Orbax, of a ``CheckpointManager`` or of Flax, whose newest step is
            taken.
        like: Parameters of the wanted structure, or their shapes, such as
            ``jax.eval_shape(target.init, jax.random.key(0))``. In a checkpoint they are found among what else
            it holds, such as a ``TrainState``. None makes dictionaries, lists and tuples of everything, as
            the file says; other nodes, such as Equinox's modules, need it.

    Raises:
        InputError: The file is missing or damaged, or holds other arrays than ``like``.
    """
    path = _newest(Path(expand_home(str(path))))
    if path.is_dir():
        return _choose(read_pytree(path), like, path)
    if not path.is_file():
        raise InputError(f"there is no file {str(path)!r}; give a file of parameters")
    if _is_msgpack(path):
        return _choose(_read_msgpack(path), like, path)
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
    path = _newest(Path(expand_home(str(path))))
    if _is_msgpack(path) or holds_pytree(path):
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
    wanted = _shapes(like)
    found = {name: tuple(np.shape(array)) for name, array in arrays.items()}
    if wanted != found:
        missing, unknown = sorted(wanted.keys() - found.keys()), sorted(found.keys() - wanted.keys())
        both = sorted(wanted.keys() & found.keys())
        differing = [f"{n} {found[n]} for {wanted[n]}" for n in both if found[n] != wanted[n]]
        said = [("lacks", missing), ("has besides", unknown), ("has the shapes", differing)]
        parts = [f"{verb} {', '.join(names[:3])}" for verb, names in said if names]
        raise InputError(f"{path} {'; '.join(parts)}; expected the parameters of this classifier")
    leaves = [jnp.asarray(arrays[name]) for name, _ in _named(like)]
    return jax.tree.unflatten(jax.tree.structure(like), leaves)


def _is_msgpack(path: Path) -> bool:
    """By its suffix, or as Flax names its checkpoints: ``checkpoint_5``."""
    return path.suffix == ".msgpack" or (_step_of(path) is not None and path.is_file())


def _step_of(path: Path) -> int | None:
    match = re.fullmatch(r"checkpoint_(\d+)", path.name)
    return None if match is None else int(match[1])


def _newest(path: Path) -> Path:
    """The newest of Flax's files in a folder; else the path itself."""
    if not path.is_dir():
        return path
    files = [file for file in path.iterdir() if file.is_file() and _step_of(file) is not None]
    return max(files, key=lambda file: _step_of(file) or 0, default=path)


def _read_msgpack(path: Path) -> Any:
    try:
        return serialization.msgpack_restore(path.read_bytes())
    except Exception as error:
        raise InputError(f"{path} is no readable msgpack of Flax ({error}); fetch it again") from error


def _choose(tree: Any, like: Params | None, path: Path) -> Params:
    """The part of a checkpoint that has the names and shapes of ``like``; all of it without one."""
    if like is None:
        return tree
    wanted = _shapes(like)
    for part in _parts(_without_values(tree), tuple(like) if isinstance(like, Mapping) else ()):
        if _shapes(part) == wanted:
            return _fill(dict(_named(part)), like, path)
    return _fill(dict(_named(tree)), like, path)


def _parts(tree: Any, keys: tuple[Any, ...]) -> Iterator[Any]:
    """A tree and the trees in it, outermost first: whole, only its ``keys``, or as the only one of them."""
    level = [tree]
    while level:
        for node in level:
            yield node
            if isinstance(node, Mapping):
                if set(keys) < set(node):
                    yield {key: node[key] for key in keys}
                if len(keys) == 1:
                    yield {keys[0]: node}
        inside = [node.values() for node in level if isinstance(node, Mapping)]
        level = [node for nodes in inside for node in nodes if isinstance(node, Mapping | list)]


def _without_values(tree: Any) -> Any:
    """NNX's states keep each array as ``{"value": array}``."""
    if isinstance(tree, list):
        return [_without_values(node) for node in tree]
    if not isinstance(tree, Mapping):
        return tree
    if set(tree) == {"value"} and not isinstance(tree["value"], Mapping):
        return tree["value"]
    return {key: _without_values(node) for key, node in tree.items()}


def _shapes(params: Params) -> dict[str, tuple[int, ...]]:
    return {name: tuple(np.shape(leaf)) for name, leaf in _named(params)}
