"""Weights of another classifier to begin with: its trunk, and whatever of its head fits."""

from pathlib import Path
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from flax.traverse_util import flatten_dict, unflatten_dict

from jaxpath.targets.headers import WeightsHeader
from jaxpath.targets.partition import head_places
from jaxpath.targets.preprocessing import with_preprocessing
from jaxpath.targets.recognition import WeightsDescription, describe_weights, is_known
from jaxpath.targets.registry import families_of, make_target
from jaxpath.targets.torch_names import canonical, parameter_slots
from jaxpath.targets.weight_files import read_contents
from jaxpath.targets.weights import check_header, check_tensors, fits, load_weights, read_arrays
from jaxpath.types import Params, Target


class InitialWeights(NamedTuple):
    """Parameters to begin a training with.

    Attributes:
        params: Of the target.
        missing: Names in a state dict of the arrays that the file has not, which stay as they were drawn.
        replaced: Those that it has in another shape, which stay as they were drawn, too.
    """

    params: Params
    missing: tuple[str, ...]
    replaced: tuple[str, ...]


def load_initial(target: Target, path: str | Path, *, drawn: Params) -> InitialWeights:
    """Takes a trained trunk, and as much of the head as fits, from a file of weights.

    The head is what lies behind the trunk (:func:`~jaxpath.targets.partition.head_places`). A file with a
    classifier is loaded and checked as the whole that it is, by :func:`~jaxpath.targets.load_weights`. One
    without may hold nothing that the target lacks.

    Args:
        target: The classifier to be trained.
        path: As for :func:`~jaxpath.targets.load_weights`.
        drawn: Its freshly drawn parameters.

    Raises:
        InputError: As :func:`~jaxpath.targets.load_weights` does, but for keys of the head that are missing
            or of another shape.
    """
    described = describe_weights(path)
    slots, head = parameter_slots(target), head_places(target)
    tensors = _of_trunk(target, path) if described.num_classes is None else _of_whole(target, path, described)
    optional = {slot.key for slot in slots if slot.path in head}
    check_tensors(tensors, slots, target=target, path=path, optional=optional)
    taken = [slot for slot in slots if slot.key in tensors and fits(tensors[slot.key], slot)]
    arrays = flatten_dict(drawn) | read_arrays(tensors, taken, path)
    left = [slot.key for slot in slots if slot not in taken]
    return InitialWeights(
        unflatten_dict({place: jnp.asarray(array) for place, array in arrays.items()}),
        tuple(key for key in left if key not in tensors),
        tuple(key for key in left if key in tensors),
    )


def _of_trunk(target: Target, path: str | Path) -> dict[str, np.ndarray]:
    """The tensors of a file without a classifier, as they are."""
    stored = read_contents(path, is_known).state.tensors
    shapes = {slot.key: slot.torch_shape for slot in parameter_slots(target)}
    return canonical(
        {name: tensor.read() for name, tensor in stored.items()}, shapes, families_of(target.name)
    )


def _of_whole(target: Target, path: str | Path, described: WeightsDescription) -> dict[str, np.ndarray]:
    """The tensors of a file with a classifier, checked, without those of a head that the target has not."""
    own = target
    if described.name is not None:
        if described.is_ours:
            check_header(WeightsHeader(described.name), target, path)
        channels = described.channels or len(target.preprocessing.mean)
        own = make_target(
            described.name,
            num_classes=described.num_classes,
            channels=channels,
            image_size=target.preprocessing.crop,
        )
        if channels == len(target.preprocessing.mean):
            own = with_preprocessing(own, target.preprocessing)
    arrays = flatten_dict(load_weights(own, path))
    names, head = {slot.key for slot in parameter_slots(target)}, head_places(own)
    return {
        slot.key: slot.to_torch(np.asarray(arrays[slot.path]))
        for slot in parameter_slots(own)
        if slot.key in names or slot.path not in head
    }
