"""A Linen classifier as a :class:`~jaxpath.types.Target`: pure functions around one module."""

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from flax import linen as nn
from flax.traverse_util import flatten_dict
from jax import Array
from jax.typing import DTypeLike

from jaxpath.compiling import read_once, run_once
from jaxpath.gating import check_gates
from jaxpath.layers import normalize
from jaxpath.types import (
    Gates,
    Given,
    InputError,
    Params,
    Patches,
    Preprocessing,
    Site,
    Target,
    TargetOutput,
    Tokens,
)

_RECORDS = "intermediates"
"""Linen's collection for what modules sow; it is no part of the parameters."""

IMAGENET = Preprocessing(resize=256, crop=(224, 224), mean=(0.485, 0.456, 0.406), std=(0.229, 0.224, 0.225))
"""torchvision's and timm's preprocessing of their ResNets and VGGs."""

_PHOTOGRAPHS = 112
"""Side from which on a square input is a part of a photograph. Pictures of data sets that are used at their
own size are smaller: CIFAR's 32, Tiny ImageNet's 64, STL-10's 96."""


def make_preprocessing(image_size: int | tuple[int, int] | None = None, channels: int = 3) -> Preprocessing:
    """Makes the preprocessing for a target that takes images of another size or number of channels.

    Args:
        image_size: (H, W), or the side of a square. Squares of 112 pixels and more are central crops of
            photographs, in ImageNet's proportion: shorter side to 256 / 224 of it, so that 224 is the
            default. Smaller ones, and what is no square, take pictures of that very size as they are, and
            others resized until they just cover it. None for ImageNet's photographs (shorter side to 256,
            central 224 x 224 crop).
        channels: Three get ImageNet's colour statistics, which the published CIFAR weights use as
            well; any other number gets their average over the colours.

    Raises:
        InputError: The size or the number of channels is not positive.

    >>> make_preprocessing(28, 1)
    Preprocessing(resize=None, crop=(28, 28), mean=(0.449,), std=(0.226,), interpolation='bilinear')
    >>> make_preprocessing(160).resize, make_preprocessing(224) == make_preprocessing()
    (183, True)
    """
    size = (image_size, image_size) if isinstance(image_size, int) else image_size
    if channels < 1 or (size is not None and (len(size) != 2 or min(size) < 1)):
        raise InputError(
            f"image_size={image_size} and channels={channels} were given; expected a positive side or "
            "(height, width) and at least one channel"
        )
    preprocessing = IMAGENET
    if size is not None:
        height, width = size
        is_photograph = height == width >= _PHOTOGRAPHS
        resize = round(height * 256 / 224) if is_photograph else None
        preprocessing = IMAGENET._replace(resize=resize, crop=(height, width))
    if channels != 3:
        preprocessing = preprocessing._replace(mean=(0.449,) * channels, std=(0.226,) * channels)
    return preprocessing


def compute_dtype(dtype: DTypeLike) -> np.dtype:
    """Checks the type in which a target computes; parameters and logits are float32 in any case.

    Raises:
        InputError: It is neither float32 nor bfloat16.

    >>> compute_dtype("bfloat16")
    dtype(bfloat16)
    """
    try:
        resolved = jnp.dtype(dtype)
    except TypeError:
        resolved = None
    if resolved not in (jnp.float32, jnp.bfloat16):
        raise InputError(f"the compute type is {dtype!r}; expected 'float32' or 'bfloat16'")
    return resolved


def as_input(images: Array, preprocessing: Preprocessing, *, name: str) -> Array:
    """Images as the network called ``name`` takes them: uint8 normalised, floats as they are.

    Raises:
        InputError: They have another shape than [B, H, W, C], or another type.
    """
    channels = len(preprocessing.mean)
    if images.ndim != 4 or images.shape[-1] != channels:
        raise InputError(
            f"{name} was given images of shape {tuple(images.shape)}; expected [B, H, W, {channels}]"
        )
    if images.dtype == jnp.uint8:
        return normalize(images, preprocessing)
    if not jnp.issubdtype(images.dtype, jnp.floating):
        raise InputError(
            f"{name} was given images of type {images.dtype}; expected uint8 or normalised floats"
        )
    return images


def from_linen(
    module: nn.Module,
    *,
    name: str,
    num_classes: int,
    preprocessing: Preprocessing,
    dropout: Mapping[str, float] | None = None,
) -> Target:
    """Wraps a Linen module as a target.

    Args:
        module: Called as ``module(images, gates, train=...)``, returns ``(logits, features)``:
            it passes each activation through one :class:`jaxpath.gating.Taps`. It has an
            ``axis_name`` attribute for its BatchNorms and uses the ``dropout`` random stream. If its
            attribute ``competitors`` is above 1, its units compete, and it draws the winners where it is
            called with ``keys``, one per example. A third value that it returns, by site, is recorded in the
            output, and so is what a layer sows into ``intermediates``. One with sites of tokens may say by a
            method ``patches(height, width)`` which tokens are patches of the image.
        name: Name of the target.
        num_classes: K.
        preprocessing: How pictures become inputs; its crop and mean give the input's shape.
        dropout: Site -> rate of the dropout that its units go through in training. Such a dropout is a
            gate of 0 or 1 / (1 - rate), drawn for each example, and needs nothing in the module.
    """
    sites = _find_sites(module, preprocessing)
    rates = dropout or {}
    dropped = {site: rates[site.name] for site in sites if site.name in rates}
    calls = _Calls(module, name, preprocessing, sites, dropped)
    return Target(
        name,
        sites,
        num_classes,
        preprocessing,
        calls.init,
        calls.apply,
        calls.train_apply,
        calls.sample_apply if calls.competes else None,
    )


def _find_sites(module: nn.Module, preprocessing: Preprocessing) -> tuple[Site, ...]:
    """The sites that a module taps on an image of its own size, in forward order."""
    patches = module.patches(*preprocessing.crop) if hasattr(module, "patches") else None
    example = jax.ShapeDtypeStruct((1, *preprocessing.shape), jnp.float32)
    shapes = jax.eval_shape(lambda x: module.init_with_output(jax.random.key(0), x)[0][1], example)
    return tuple(
        Site(site, feature.shape[-1], _spatial(feature.shape, patches)) for site, feature in shapes.items()
    )


def _spatial(shape: tuple[int, ...], patches: Patches | None) -> tuple[int, ...] | None:
    return Tokens(shape[1], patches) if len(shape) == 3 else shape[1:-1] or None


@dataclasses.dataclass(frozen=True, eq=False)
class _Calls:
    """The functions of a target around one module; see :class:`~jaxpath.types.Target`."""

    module: nn.Module
    name: str
    preprocessing: Preprocessing
    sites: tuple[Site, ...]
    dropped: Mapping[Site, float]

    @property
    def competes(self) -> bool:
        return getattr(self.module, "competitors", 1) > 1

    def init(self, key: Array) -> Params:
        return run_once(self.module.init, key, jnp.zeros((1, *self.preprocessing.shape)))

    def apply(self, params: Params, images: Array, gates: Gates | None = None) -> TargetOutput:
        check_gates(gates, self.sites)
        # LWTA reads a convolution twice, and so do the statistics of a batch: it cannot be fused with them.
        with read_once(not self.competes):
            output, sown = self.module.apply(params, self._prepared(images), gates, mutable=[_RECORDS])
        return _as_output(output, sown)

    def sample_apply(
        self, params: Params, images: Array, gates: Gates | None = None, *, key: Array
    ) -> TargetOutput:
        check_gates(gates, self.sites)
        keys = _per_example(key, len(images))
        output, sown = self.module.apply(params, self._prepared(images), gates, keys=keys, mutable=[_RECORDS])
        return _as_output(output, sown)

    def train_apply(
        self,
        params: Params,
        images: Array,
        *,
        key: Array,
        axis_name: str | None = None,
        given: Mapping[str, Array] | None = None,
    ) -> tuple[TargetOutput, Params]:
        check_gates(given, self.sites)
        gates: dict[str, Any] = dict(_draw_dropout(key, len(images), self.dropped))
        gates |= {name: Given(value * gates.get(name, 1)) for name, value in (given or {}).items()}
        synced = self.module.clone(axis_name=axis_name)
        drawn: dict[str, Any] = {"keys": _per_example(key, len(images))} if self.competes else {}
        output, updates = synced.apply(
            params,
            self._prepared(images),
            gates,
            train=True,
            rngs={"dropout": key if key.ndim == 0 else key[0]},
            mutable=["batch_stats", _RECORDS],
            **drawn,
        )
        statistics = {name: value for name, value in updates.items() if name != _RECORDS}
        return _as_output(output, updates), {**params, **statistics}

    def _prepared(self, images: Array) -> Array:
        return as_input(images, self.preprocessing, name=self.name)


def _per_example(key: Array, batch: int) -> Array:
    """Keys [B]: as they are, or split from one."""
    return key if key.ndim else jax.random.split(key, batch)


def _as_output(output: Any, updates: Mapping[str, Any]) -> TargetOutput:
    logits, features, *of_sites = output
    sown = flatten_dict(dict(updates.get(_RECORDS, {})), sep="/")
    # A layer is named by its place; each sows once per call, as a tuple of one.
    of_layers = {name.rpartition("/")[0]: values[0] for name, values in sown.items()}
    recorded = {**of_layers, **(of_sites[0] if of_sites else {})}
    return TargetOutput(logits.astype(jnp.float32), features, recorded or None)


def _draw_dropout(key: Array, batch: int, rates: Mapping[Site, float]) -> dict[str, Array]:
    """Gates of 0 or 1 / (1 - rate) for every unit of the sites in ``rates``; ``key`` is [] or [B]."""
    keys = _per_example(key, batch)

    def draw(number: int, site: Site, rate: float) -> Array:
        def one(key: Array) -> Array:
            shape = (*(site.spatial or ()), site.channels)
            return jax.random.bernoulli(jax.random.fold_in(key, number), 1 - rate, shape)

        return jax.vmap(one)(keys) / (1 - rate)

    return {site.name: draw(number, site, rate) for number, (site, rate) in enumerate(rates.items())}


def batch_norm(*, train: bool, axis_name: str | None, dtype: Any, name: str) -> nn.BatchNorm:
    """PyTorch's BatchNorm: eps 1e-5, momentum 0.1 (Flax counts the other way round)."""
    return nn.BatchNorm(
        use_running_average=not train,
        momentum=0.9,
        epsilon=1e-5,
        dtype=dtype,
        axis_name=axis_name if train else None,
        name=name,
    )
