"""Classifiers to explain: Flax ports behind pure functions, each a :class:`~jaxpath.types.Target`.

Every maker takes the same keywords:

- ``num_classes``: K; 1000 for the ImageNet families, 10 for the CIFAR ResNets.
- ``dtype``: the type it computes in, ``"float32"`` or ``"bfloat16"``.
- ``image_size``: (H, W) or the side of a square, of images that are used without resizing; by
  default 224 after a resize to 256, 32 for the CIFAR ResNets and 28 for ``lenet`` and ``digit_cnn``.
- ``channels``: of an image; 3, and 1 for these two.

ResNets and VGGs also take ``pooling``, a :class:`~jaxpath.targets.pooling.Pooling`: how maps get smaller.

The VGGs also take ``hidden`` (width of the two dense layers) and ``pool_size`` (side of the grid before
them): by default torchvision's 4096 and 7, and 512 and 1 where the shorter side of the images is below 64.
The ResNets, the DeiTs and ``digit_cnn`` take ``competitors``: from 2 on, that many units compete where one
alone would be rectified (:mod:`jaxpath.targets.lwta`), and ``_lwta2`` and so on is added to the name.
"""

import inspect
from collections.abc import Callable
from typing import Any

from jaxpath.targets.activations import ACTIVATIONS
from jaxpath.targets.adapters import adapt_function, adapt_linen, adapt_nnx, nnx_params
from jaxpath.targets.deit import deit_small, deit_tiny
from jaxpath.targets.digit_cnn import digit_cnn
from jaxpath.targets.lenet import lenet
from jaxpath.targets.linen import compute_dtype, from_linen, make_preprocessing, normalize
from jaxpath.targets.lwta import (
    LWTA,
    LWTAOutput,
    competing_name,
    lwta,
    lwta_argmax,
    lwta_relaxed,
    split_name,
    win_rate,
    winner_mask,
)
from jaxpath.targets.normless import resnet18_normless
from jaxpath.targets.pooling import Pooling
from jaxpath.targets.recognition import WeightsDescription, describe_weights
from jaxpath.targets.resnet import (
    resnet8,
    resnet18,
    resnet20,
    resnet32,
    resnet34,
    resnet44,
    resnet50,
    resnet56,
    resnet101,
    resnet110,
    resnet152,
)
from jaxpath.targets.vgg import (
    vgg11,
    vgg11_bn,
    vgg13,
    vgg13_bn,
    vgg16,
    vgg16_bn,
    vgg19,
    vgg19_bn,
)
from jaxpath.targets.weights import load_weights, save_weights, weights_hash
from jaxpath.types import InputError, Target

__all__ = [
    "ACTIVATIONS",
    "LWTA",
    "LWTAOutput",
    "Pooling",
    "WeightsDescription",
    "adapt_function",
    "adapt_linen",
    "adapt_nnx",
    "competing_name",
    "compute_dtype",
    "deit_small",
    "deit_tiny",
    "describe_weights",
    "digit_cnn",
    "from_linen",
    "lenet",
    "load_weights",
    "lwta",
    "lwta_argmax",
    "lwta_relaxed",
    "make_preprocessing",
    "make_target",
    "names",
    "nnx_params",
    "normalize",
    "resnet8",
    "resnet18",
    "resnet18_normless",
    "resnet20",
    "resnet32",
    "resnet34",
    "resnet44",
    "resnet50",
    "resnet56",
    "resnet101",
    "resnet110",
    "resnet152",
    "save_weights",
    "split_name",
    "vgg11",
    "vgg11_bn",
    "vgg13",
    "vgg13_bn",
    "vgg16",
    "vgg16_bn",
    "vgg19",
    "vgg19_bn",
    "weights_hash",
    "win_rate",
    "winner_mask",
]

_MAKERS: dict[str, Callable[..., Target]] = {
    "resnet18": resnet18,
    "resnet34": resnet34,
    "resnet50": resnet50,
    "resnet101": resnet101,
    "resnet152": resnet152,
    "resnet8": resnet8,
    "resnet20": resnet20,
    "resnet32": resnet32,
    "resnet44": resnet44,
    "resnet56": resnet56,
    "resnet110": resnet110,
    "vgg11": vgg11,
    "vgg13": vgg13,
    "vgg16": vgg16,
    "vgg19": vgg19,
    "vgg11_bn": vgg11_bn,
    "vgg13_bn": vgg13_bn,
    "vgg16_bn": vgg16_bn,
    "vgg19_bn": vgg19_bn,
    "lenet": lenet,
    "resnet18_normless": resnet18_normless,
    "digit_cnn": digit_cnn,
    "deit_tiny": deit_tiny,
    "deit_small": deit_small,
}


def names() -> tuple[str, ...]:
    """Returns the names that :func:`make_target` knows; ``_lwta2`` and so on may follow some of them."""
    return tuple(_MAKERS)


def make_target(name: str, **options: Any) -> Target:
    """Makes a target by its name.

    Args:
        name: One of :func:`names`, or that of a ResNet, a DeiT or ``digit_cnn`` whose units compete, such as
            ``"resnet18_lwta4"``.
        **options: Keywords of its maker, such as ``num_classes`` and ``dtype``.

    Raises:
        InputError: There is no target of that name.

    >>> len(make_target("resnet20").sites)
    19
    """
    base, competitors = split_name(name)
    maker = _MAKERS.get(base)
    if maker is None or (competitors > 1 and "competitors" not in inspect.signature(maker).parameters):
        raise InputError(
            f"there is no target named {name!r}; choose one of {', '.join(names())}, or a ResNet, a DeiT or "
            "digit_cnn with competing units, such as resnet18_lwta4"
        )
    return maker(**({"competitors": competitors} if competitors > 1 else {}), **options)
