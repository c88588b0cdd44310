"""A target with another preprocessing; preprocessing in words, and as JSON keeps it."""

import math
from collections.abc import Mapping, Sequence
from typing import Any, get_args

from jax import Array

from jaxpath.choices import LARGEST
from jaxpath.targets.linen import as_input
from jaxpath.types import Gates, InputError, Interpolation, Params, Preprocessing, Target, TargetOutput

INTERPOLATIONS: tuple[str, ...] = get_args(Interpolation)


def with_preprocessing(target: Target, preprocessing: Preprocessing) -> Target:
    """The same network, whose pictures become inputs by another preprocessing.

    Raw uint8 images are normalised by the new mean and standard deviation; floating-point images count as
    normalised already. A network's input size is its maker's ``image_size``, so that the crop stays.

    Args:
        target: The network.
        preprocessing: The new one, with the target's crop and number of channels.

    Raises:
        InputError: The crop or the number of channels is another.

    >>> from jaxpath import targets
    >>> from jaxpath.types import Preprocessing
    >>> centred = Preprocessing(resize=None, crop=(8, 8), mean=(0.5,), std=(0.5,))
    >>> target = with_preprocessing(targets.resnet8(image_size=8, channels=1), centred)
    >>> target.preprocessing.mean, target.preprocessing.std
    ((0.5,), (0.5,))
    """
    if preprocessing.shape != target.preprocessing.shape:
        raise InputError(
            f"{target.name} takes images of {_size(target.preprocessing)} and was given a preprocessing for "
            f"{_size(preprocessing)}; make the target with that image_size and number of channels"
        )
    if preprocessing == target.preprocessing:
        return target
    name = target.name

    def apply(params: Params, images: Array, gates: Gates | None = None) -> TargetOutput:
        return target.apply(params, as_input(images, preprocessing, name=name), gates)

    def train_apply(params: Params, images: Array, **options: Any) -> tuple[TargetOutput, Params]:
        return target.train_apply(params, as_input(images, preprocessing, name=name), **options)

    def sample_apply(
        params: Params, images: Array, gates: Gates | None = None, *, key: Array
    ) -> TargetOutput:
        assert target.sample_apply is not None
        return target.sample_apply(params, as_input(images, preprocessing, name=name), gates, key=key)

    return target._replace(
        preprocessing=preprocessing,
        apply=apply,
        train_apply=train_apply,
        sample_apply=None if target.sample_apply is None else sample_apply,
    )


def describe_preprocessing(preprocessing: Preprocessing) -> str:
    """A preprocessing in words.

    >>> describe_preprocessing(Preprocessing(256, (224, 224), (0.5,), (0.25,)))
    'shorter side to 256 (bilinear), crop 224 x 224, mean 0.5, std 0.25'
    """
    height, width = preprocessing.crop
    resize = f"shorter side to {preprocessing.resize} ({preprocessing.interpolation}), crop"
    if preprocessing.resize is None:
        resize = f"size ({preprocessing.interpolation})"
    mean, std = (
        " ".join(f"{value:.6g}" for value in values) for values in (preprocessing.mean, preprocessing.std)
    )
    return f"{resize} {height} x {width}, mean {mean}, std {std}"


def as_facts(preprocessing: Preprocessing) -> dict[str, Any]:
    """A preprocessing in JSON's types, which :func:`from_facts` reads.

    >>> as_facts(Preprocessing(None, (8, 8), (0.5,), (0.25,)))["crop"]
    [8, 8]
    """
    facts = preprocessing._asdict()
    return {name: list(value) if isinstance(value, tuple) else value for name, value in facts.items()}


def from_facts(facts: Any, where: str) -> Preprocessing:
    """The preprocessing that :func:`as_facts` wrote into ``where``.

    Raises:
        InputError: It is none.
    """
    if not isinstance(facts, Mapping) or set(facts) != set(Preprocessing._fields):
        raise InputError(
            f"{where} holds the preprocessing {facts!r}; expected {', '.join(Preprocessing._fields)}"
        )
    mean = numbers(facts["mean"], "mean", where)
    resize = facts["resize"]
    return Preprocessing(
        None if resize is None else positive(resize, "resize", where),
        pair(facts["crop"], "crop", where),
        mean,
        deviations(facts["std"], len(mean), where),
        interpolation(facts["interpolation"], where),
    )


def numbers(values: Any, name: str, where: str) -> tuple[float, ...]:
    """``values`` as finite numbers, one or more."""
    is_list = isinstance(values, Sequence) and not isinstance(values, str) and len(values) > 0
    if not is_list or not all(_is_number(value) for value in values):
        raise InputError(f"{where} holds the {name} {values!r}; expected one number per colour channel")
    largest = LARGEST.get(name)
    if largest is not None and max(map(abs, values)) > largest:
        raise InputError(
            f"{where} holds the {name} {values!r}; expected numbers for pixel values in [0, 1], up to "
            f"{largest:g}: divide those for values up to 255 by 255"
        )
    return tuple(float(value) for value in values)


def deviations(values: Any, count: int, where: str) -> tuple[float, ...]:
    """``values`` as ``count`` standard deviations."""
    std = numbers(values, "std", where)
    if len(std) != count or min(std) <= 0:
        raise InputError(f"{where} holds the std {values!r}; expected {count} numbers above 0")
    return std


def pair(values: Any, name: str, where: str) -> tuple[int, int]:
    """``values`` as (height, width)."""
    if not isinstance(values, Sequence) or isinstance(values, str) or len(values) != 2:
        raise InputError(f"{where} holds the {name} {values!r}; expected height and width in pixels")
    return positive(values[0], name, where), positive(values[1], name, where)


def positive(value: Any, name: str, where: str) -> int:
    """``value`` as a number of pixels, classes or channels."""
    if not isinstance(value, int) or isinstance(value, bool) or value < 1:
        raise InputError(f"{where} holds the {name} {value!r}; expected a whole number from 1 on")
    return value


def interpolation(value: Any, where: str) -> Interpolation:
    """``value`` as the name of a filter."""
    if value not in INTERPOLATIONS:
        raise InputError(
            f"{where} holds the interpolation {value!r}; expected one of {', '.join(INTERPOLATIONS)}"
        )
    known: Interpolation = value
    return known


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _size(preprocessing: Preprocessing) -> str:
    height, width, channels = preprocessing.shape
    return f"{height} x {width} pixels and {channels} channel{'s' if channels > 1 else ''}"
