"""Files that hold a network's weights: where they are, and which of the states in them is taken."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

from jaxpath.errors import InputError
from jaxpath.naming import HUB, local_weights
from jaxpath.targets import torch_files
from jaxpath.targets.downloads import download, fetch, find_released, parse_hub_path
from jaxpath.targets.safetensors_files import read_words, stored_tensors
from jaxpath.targets.state_dicts import Known, State, choose_state, find_states

SUFFIXES = (".safetensors", *torch_files.SUFFIXES)


class Contents(NamedTuple):
    """A file of weights.

    Attributes:
        file: Where it lies on this machine.
        state: The state that is taken.
        states: All that it holds.
        words: Of the header of a safetensors file; otherwise empty.
    """

    file: Path
    state: State
    states: tuple[State, ...]
    words: Mapping[str, str]


def local_file(path: str | Path) -> Path:
    """Returns the path of a file, downloading it first if it is on the Hub or goes by a network's name.

    Args:
        path: A file; ``hf://owner/name`` (its ``model.safetensors``) or ``hf://owner/name/file``; or the name
            of a network, for its published weights.

    Raises:
        InputError: There is no such file, or ``huggingface_hub`` is not installed, or the download failed.
    """
    released = find_released(path)
    if released is not None:
        return fetch(released)
    if str(path).startswith(HUB):
        found = download(*parse_hub_path(str(path)))
        assert found is not None
        return found
    return local_weights(path)


def read_contents(path: str | Path, known: Known, *, state: str | None = None) -> Contents:
    """Looks into a file of weights; values are read when they are asked for.

    Args:
        path: As for :func:`local_file`.
        known: Recognises a network by its shapes.
        state: As for :func:`~jaxpath.targets.state_dicts.choose_state`.

    Raises:
        InputError: The file is missing or damaged, its suffix is unknown, it holds no state dict or not the
            one that was asked for; or PyTorch, which its own files need, is missing.
    """
    file = local_file(path)
    tree: Mapping[Any, Any]
    if file.suffix == ".safetensors":
        words, tree = read_words(file), stored_tensors(file)
    elif file.suffix in torch_files.SUFFIXES:
        words, tree = {}, torch_files.read_tree(file)
    else:
        raise InputError(
            f"the weights file {file} has the suffix {file.suffix!r}; expected one of {', '.join(SUFFIXES)}"
        )
    states = find_states(tree, known)
    if not states:
        keys = ", ".join(str(key) for key in list(tree)[:8]) or "nothing"
        raise InputError(f"{file} holds {keys}; expected a state dict, alone or under a key")
    return Contents(file, choose_state(states, state, str(path)), tuple(states), words)
