"""Classifiers to explain: Flax ports behind pure functions, each a :class:`~jaxpath.types.Target`.

Every network is made by :func:`make_target`, or by the maker of its name, such as ``targets.resnet18()``;
:func:`names` lists them. All take the same keywords:

- ``num_classes``: K; 1000 for the ImageNet families, 10 for the CIFAR ResNets.
- ``dtype``: the type it computes in, ``"float32"`` or ``"bfloat16"``.
- ``image_size``: (H, W) or the side of a square, as :func:`make_preprocessing` takes it; by default 224
  after a resize to 256, 32 for the CIFAR ResNets and 28 for ``lenet`` and ``digit_cnn``.
- ``channels``: of an image; 3, and 1 for these two.

ResNets and VGGs also take ``pooling``, a :class:`~jaxpath.targets.pooling.Pooling`: how maps get smaller.

The VGGs also take ``hidden`` (width of the two dense layers) and ``pool_size`` (side of the grid before
them): by default torchvision's 4096 and 7, and 512 and 1 where the shorter side of the images is below 64.
``vgg16_gap`` and so on have one linear layer on the average over space instead.
The ResNets, ViTs, DeiTs and ``digit_cnn`` take ``competitors``: from 2 on, that many units compete where one
alone would be rectified (:mod:`jaxpath.targets.lwta`), and ``_lwta2`` and so on is added to the name.
"""

from collections.abc import Callable

from jaxpath.targets import registry
from jaxpath.targets.activation_detection import ACTIVATIONS
from jaxpath.targets.adapters import adapt_function, adapt_linen, adapt_nnx, nnx_params
from jaxpath.targets.checking import Check, Checks, check, check_quickly
from jaxpath.targets.digests import digest
from jaxpath.targets.downloads import find_released
from jaxpath.targets.family import Family, Released
from jaxpath.targets.frozen import cast_frozen
from jaxpath.targets.initial_weights import InitialWeights, load_initial
from jaxpath.targets.linen import compute_dtype, from_linen, make_preprocessing, normalize
from jaxpath.targets.lwta import (
    LWTAOutput,
    competing_name,
    lwta,
    lwta_argmax,
    split_name,
    win_rate,
    winner_mask,
)
from jaxpath.targets.other_libraries import adapt_equinox, adapt_haiku, adapt_keras
from jaxpath.targets.parameter_files import holds_parameters, load_parameters, save_parameters
from jaxpath.targets.partition import Partition, head_places, join_params, partition_at
from jaxpath.targets.pooling import Pooling
from jaxpath.targets.preprocessing import describe_preprocessing, with_preprocessing
from jaxpath.targets.recognition import WeightsDescription, describe_weights
from jaxpath.targets.registry import make_target, names
from jaxpath.targets.weights import load_weights, save_weights, weights_hash
from jaxpath.types import Target

__all__ = [
    "ACTIVATIONS",
    "Check",
    "Checks",
    "Family",
    "InitialWeights",
    "LWTAOutput",
    "Partition",
    "Pooling",
    "Released",
    "WeightsDescription",
    "adapt_equinox",
    "adapt_function",
    "adapt_haiku",
    "adapt_keras",
    "adapt_linen",
    "adapt_nnx",
    "cast_frozen",
    "check",
    "check_quickly",
    "competing_name",
    "compute_dtype",
    "describe_preprocessing",
    "describe_weights",
    "digest",
    "find_released",
    "from_linen",
    "head_places",
    "holds_parameters",
    "join_params",
    "load_initial",
    "load_parameters",
    "load_weights",
    "lwta",
    "lwta_argmax",
    "make_preprocessing",
    "make_target",
    "names",
    "nnx_params",
    "normalize",
    "partition_at",
    "save_parameters",
    "save_weights",
    "split_name",
    "weights_hash",
    "win_rate",
    "winner_mask",
    "with_preprocessing",
]

__all__ += names()


def __getattr__(name: str) -> Callable[..., Target]:
    """The maker of a target, by its name: ``targets.resnet18`` is the ``resnet18`` of the registry."""
    maker = registry.makers().get(name)
    if maker is None:
        raise AttributeError(f"module 'jaxpath.targets' has no attribute {name!r}")
    return maker


def __dir__() -> list[str]:
    return sorted({*globals(), *registry.names()})
