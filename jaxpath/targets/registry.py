"""The networks of the library. A new one has its :class:`Family` in its own file and an entry here."""

import inspect
from collections.abc import Callable
from typing import Any

from jaxpath.targets.convnext import CONVNEXT
from jaxpath.targets.deit import DEIT
from jaxpath.targets.discover_cnn import DIGIT_CNN
from jaxpath.targets.efficientnet import EFFICIENTNET
from jaxpath.targets.family import Family, Released
from jaxpath.targets.flint_lenet import LENET
from jaxpath.targets.lwta import split_name
from jaxpath.targets.mobilenet import MOBILENET
from jaxpath.targets.normless import NORMLESS_RESNET
from jaxpath.targets.resnet import CIFAR_RESNET, IMAGENET_RESNET
from jaxpath.targets.vgg import VGG_GAP, VGG_NET
from jaxpath.types import InputError, Target

FAMILIES: tuple[Family, ...] = (
    IMAGENET_RESNET,
    CIFAR_RESNET,
    VGG_NET,
    VGG_GAP,
    LENET,
    NORMLESS_RESNET,
    DIGIT_CNN,
    DEIT,
    MOBILENET,
    CONVNEXT,
    EFFICIENTNET,
)


def makers() -> dict[str, Callable[..., Target]]:
    """Name of a target -> its maker."""
    return {name: maker for family in FAMILIES for name, maker in family.makers.items()}


def names() -> tuple[str, ...]:
    """Returns the names that :func:`make_target` knows; ``_lwta2`` and so on may follow some of them.

    >>> "resnet18" in names(), "resnet18_lwta4" in names()
    (True, False)
    """
    return tuple(makers())


def published() -> dict[str, str]:
    """The names of networks in timm, and our own -> ours."""
    names = {name: name for name in makers()}
    return names | {theirs: ours for family in FAMILIES for theirs, ours in family.published.items()}


def released() -> dict[str, Released]:
    """Name of a target -> the published weights that are meant by it, where there are some."""
    return {name: weights for family in FAMILIES for name, weights in family.released.items()}


def families_of(name: str) -> tuple[Family, ...]:
    """The family of a target by its name; all of them, whose key names may help, if the name is in none."""
    base, _ = split_name(name)
    return tuple(family for family in FAMILIES if base in family.makers) or FAMILIES


def recognised_as(name: str) -> str:
    """The target as which the tensors of another are recognised: itself, or the one that has the same ones.

    >>> recognised_as("vit_tiny"), recognised_as("resnet18_lwta4")
    ('deit_tiny', 'resnet18')
    """
    base, _ = split_name(name)
    return next((family.twins[base] for family in FAMILIES if base in family.twins), base)


def make_target(name: str, **options: Any) -> Target:
    """Makes a target by its name.

    Args:
        name: One of :func:`names`; with competing units, where its maker takes ``competitors``, such as
            ``"resnet18_lwta4"``.
        **options: Keywords of its maker, such as ``num_classes`` and ``dtype``.

    Raises:
        InputError: There is no target of that name.

    >>> len(make_target("resnet20").sites)
    19
    """
    base, competitors = split_name(name)
    maker = makers().get(base)
    if maker is None or (competitors > 1 and "competitors" not in inspect.signature(maker).parameters):
        raise InputError(
            f"there is no target named {name!r}; choose one of {', '.join(names())}, or one whose maker "
            "takes competitors, with their number, such as resnet18_lwta4; one of your own is given as "
            "--target package.module:function, or made by targets.adapt_function and its like"
        )
    return maker(**({"competitors": competitors} if competitors > 1 else {}), **options)
