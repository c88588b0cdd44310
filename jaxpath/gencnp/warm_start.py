"""A generator that begins with the parts of another one that fit it."""

from pathlib import Path
from typing import NamedTuple

from flax.traverse_util import flatten_dict, unflatten_dict

from jaxpath.gencnp.files import read_generator
from jaxpath.types import InputError, Params


class WarmStart(NamedTuple):
    """Parameters to begin a training with.

    Attributes:
        params: Of the generator.
        taken: Names of the arrays that are another generator's.
        drawn: Names of those that stay as they were drawn.
    """

    params: Params
    taken: tuple[str, ...]
    drawn: tuple[str, ...]


def begin_with(path: str | Path, drawn: Params) -> WarmStart:
    """Takes the arrays of a generator's file that have the name and shape of one in ``drawn``.

    It may have been trained for another target, other classes or other images: embedders and scorers are
    named after the shapes of the maps that they read, and recursions have the shape of all sites.

    Args:
        path: A file that :func:`~jaxpath.gencnp.save_generator` wrote.
        drawn: Fresh parameters of the generator to be trained.

    Raises:
        InputError: There is no such file, it is damaged, of another version, or nothing in it fits.
    """
    header, params = read_generator(path)
    found, fresh = flatten_dict(params, sep="/"), flatten_dict(drawn, sep="/")
    taken = [name for name, array in fresh.items() if name in found and found[name].shape == array.shape]
    if not taken:
        raise InputError(
            f"nothing in the generator in {path}, of width {header.get('width')} for {header.get('target')}, "
            "has the name and shape of a part of the one to be trained; give one of the same --width on maps "
            "of the same channels, or leave it out"
        )
    arrays = {name: found[name] if name in taken else array for name, array in fresh.items()}
    return WarmStart(
        unflatten_dict(arrays, sep="/"), tuple(taken), tuple(name for name in fresh if name not in taken)
    )
