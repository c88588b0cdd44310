"""Classifiers that a run explains, and the pictures that its figures show."""

from typing import Any, NamedTuple

import numpy as np

from jaxpath import data, targets
from jaxpath.runs.study import Study, check_data
from jaxpath.types import HostBatch, Params, Preprocessing, Target

_AT_ONCE = 64


class Net(NamedTuple):
    """A classifier and its parameters."""

    target: Target
    params: Params


def load_study(model: str, weights: str, train: data.Source, held_out: data.Source, **shape: Any) -> Study:
    """A trained classifier by its name and weights, with its images.

    Args:
        model: Name of the target.
        weights: Its weights: .safetensors, .pth, or hf://owner/name.
        train: The images to learn from.
        held_out: The images to score.
        **shape: Keywords of the target's maker; None keeps the maker's own.

    Raises:
        InputError: The model or the weights cannot be opened, or do not fit each other or the labels.
    """
    options = {name: value for name, value in shape.items() if value is not None}
    target = targets.make_target(model, **options)
    params = targets.load_weights(target, weights)
    check_data(target, train, held_out)
    return Study(target, params, train, held_out)


def read_pictures(
    source: data.Source, preprocessing: Preprocessing, *, reading: data.Reading = data.READING
) -> HostBatch:
    """All of ``source`` as one batch without padding, the same on every process.

    Args:
        source: The pictures; all of them have to fit in memory.
        preprocessing: The target's, by which they are resized and cropped.
        reading: Workers, threads, and what to do with files that are no images.
    """
    batches = data.eval_batches(
        source,
        batch_size=min(_AT_ONCE, len(source)),
        preprocessing=preprocessing,
        shard=data.Shard(0, 1),
        reading=reading,
    )
    parts = list(batches)
    return {name: np.concatenate([part[name][part["weight"] > 0] for part in parts]) for name in parts[0]}
