"""Classifiers that a run explains and does not train."""

from typing import Any, NamedTuple

from jaxpath import data, targets
from jaxpath.runs.study import Study, check_data
from jaxpath.types import Params, Target


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
