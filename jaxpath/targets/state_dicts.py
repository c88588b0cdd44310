"""Where a network's tensors lie in what a training script saved: wrappers, and several states in one file.

Everything here works on nested mappings of :class:`Stored` tensors and knows no file format.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxpath.targets.family import Shapes
from jaxpath.types import InputError

AVERAGED, RAW = "ema", "raw"
"""States by what they are: averages over a training, and what was trained."""

_WRAPPERS = frozenset(
    (
        *("module", "model", "net", "network", "backbone", "_orig_mod", "_forward_module", "_model"),
        *("state_dict", "model_state_dict", "model_state", "weights", "params"),
    )
)
"""Names under which scripts and other modules keep a network; none of ours has a layer of that name."""

_AVERAGE = re.compile(r"(^|_)(ema|swa|avg|average|averaged|polyak|shadow)(_|$)")
_COUNTER = "n_averaged"
"""A tensor of PyTorch's AveragedModel."""

_NO_NETWORK = re.compile(r"optim|sched|scaler|grad|momentum|exp_avg|rng")
_LEAVES = ("weight", "bias", "running_mean", "running_var")
_MOST_LISTED = 4


class Stored(NamedTuple):
    """A tensor in a file.

    Attributes:
        shape: In PyTorch's layout.
        read: Returns its values; raises an InputError if they are of a kind that cannot be used.
    """

    shape: tuple[int, ...]
    read: Callable[[], np.ndarray]

    @classmethod
    def of(cls, array: np.ndarray) -> "Stored":
        """An array in memory."""
        return cls(array.shape, lambda: array)


Known = Callable[[Shapes], bool]
"""``known(shapes)``: whether these are all tensors of a network of the library."""


class State(NamedTuple):
    """The tensors of one network.

    Attributes:
        path: The keys and prefixes below which they lie.
        tensors: By the network's own names.
        averaged: Whether they are an average over a training, as far as names tell.
        known: Whether they are a network of the library.
        beside: Tensors at the same place that are none of the network's.
    """

    path: tuple[str, ...]
    tensors: Mapping[str, Stored]
    averaged: bool
    known: bool
    beside: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Its path in one word; a dot for the file itself."""
        return ".".join(self.path) or "."

    @property
    def said(self) -> str:
        """Its name, and whether it is averaged."""
        return f"{self.name} (averaged)" if self.averaged else self.name

    @property
    def shapes(self) -> Shapes:
        """Name -> shape."""
        return shapes_of(self.tensors)


def shapes_of(tensors: Mapping[str, Stored]) -> Shapes:
    """Name -> shape."""
    return {name: tensor.shape for name, tensor in tensors.items()}


def find_states(tree: Mapping[Any, Any], known: Known) -> list[State]:
    """Every network in a nested mapping, in its order; optimizers and the like are none.

    Prefixes that all tensors share are taken off where they wrap a network: ``module.``, ``_orig_mod.``, and
    any other if what is left is a network of the library.

    Args:
        tree: Nested mappings; what is neither a mapping nor a :class:`Stored` is passed over.
        known: Recognises a network.
    """
    found = [state for path, tensors in _mappings(tree, ()) for state in _split(path, tensors, known)]
    return [state for state in found if _is_network(state)] or found


def choose_state(states: Sequence[State], wanted: str | None, where: str) -> State:
    """The state that ``wanted`` names; by default the only one that is not an average.

    Args:
        states: From :func:`find_states`, one or more.
        wanted: ``"ema"``, ``"raw"``, or a state's name or one of the keys on its path.
        where: The file, for errors.

    Raises:
        InputError: None is the one, or several are; or tensors beside it may belong to it.
    """
    candidates = [state for state in states if _is_wanted(state, wanted)]
    if wanted is None:
        candidates = candidates or list(states)
    candidates = [state for state in candidates if state.name == wanted] or candidates
    if len(candidates) > 1:
        candidates = [state for state in candidates if state.known] or candidates
    if len(candidates) != 1:
        if len(states) == 1 and not states[0].path:
            raise InputError(
                f"{where} holds one state dict alone, and {wanted!r} was asked for; leave --state out"
            )
        held = ", ".join(state.said for state in states)
        if wanted is None:
            raise InputError(
                f"{where} holds several networks, {held}; name one with --state (state= in Python)"
            )
        number = "none" if not candidates else "several"
        raise InputError(
            f"{where} holds the states {held}, of which {number} answers to {wanted!r}; give --state "
            f"(state= in Python) as {AVERAGED}, {RAW}, or one of these names"
        )
    state = candidates[0]
    if state.beside and wanted is None:
        listed = ", ".join(state.beside[:_MOST_LISTED]) + (
            ", ..." if len(state.beside) > _MOST_LISTED else ""
        )
        raise InputError(
            f"{where} holds a network under {state.name!r} and beside it {len(state.beside)} tensors of "
            "something "
            f"else ({listed}), so that the network alone may be another classifier; if it is what you want, "
            f"give --state {state.name} (state= in Python)"
        )
    return state


def _is_wanted(state: State, wanted: str | None) -> bool:
    if wanted is None or wanted == RAW:
        return not state.averaged or wanted == state.name
    if wanted == AVERAGED:
        return state.averaged
    return wanted == state.name or wanted in state.path


def _mappings(
    tree: Mapping[Any, Any], path: tuple[str, ...]
) -> Iterator[tuple[tuple[str, ...], dict[str, Stored]]]:
    """Every mapping that holds tensors itself, with the keys that lead there."""
    tensors = {
        key: value for key, value in tree.items() if isinstance(value, Stored) and isinstance(key, str)
    }
    if tensors:
        yield path, tensors
    for key, value in tree.items():
        if isinstance(value, Mapping) and not _NO_NETWORK.search(str(key).lower()):
            yield from _mappings(value, (*path, str(key)))


def _is_network(state: State) -> bool:
    return any(name.rpartition(".")[2] in _LEAVES for name in state.tensors)


def _split(path: tuple[str, ...], tensors: Mapping[str, Stored], known: Known) -> list[State]:
    """The networks in one flat state dict."""
    averaged = _COUNTER in tensors or any(map(_names_average, path))
    tensors = {name: tensor for name, tensor in tensors.items() if name != _COUNTER}
    parts: dict[str, dict[str, Stored]] = {}
    for name, tensor in tensors.items():
        first, dot, rest = name.partition(".")
        parts.setdefault(first if dot else "", {})[rest if dot else name] = tensor
    is_known = known(shapes_of(tensors))
    whole = State(path, tensors, averaged, is_known)
    if len(parts) == 1 and "" not in parts:
        ((first, inner),) = parts.items()
        within = _split((*path, first), inner, known)
        wraps = first in _WRAPPERS or _names_average(first)
        if wraps or (not is_known and any(state.known for state in within)):
            return [state._replace(averaged=state.averaged or averaged) for state in within]
        return [whole]
    found: list[State] = []
    for first, inner in parts.items():
        within = [state for state in _split((*path, first), inner, known) if state.known] if first else []
        found += [state._replace(averaged=state.averaged or averaged) for state in within]
    if not found:
        return [whole]
    networks = {state.path[len(path)] for state in found}
    outside = {name: tensor for name, tensor in tensors.items() if name.partition(".")[0] not in networks}
    if known(shapes_of(outside)):
        return [State(path, outside, averaged, True), *found]
    return [state._replace(beside=(*state.beside, *outside)) for state in found]


def _names_average(word: str) -> bool:
    return _AVERAGE.search(word.lower()) is not None
