"""Published classifiers in Keras, Equinox and Haiku; see :mod:`catalogue`."""

import os
from typing import Any

import jax
from entries import CLASSES, ONE_EACH, Adapted, model
from jax import Array

from jaxpath import Preprocessing, targets
from jaxpath.types import Params

# Keras.


def _keras(name: str, preprocessing: Preprocessing, **options: Any) -> Adapted:
    os.environ.setdefault("KERAS_BACKEND", "jax")
    import keras  # type: ignore[import-not-found]

    network = getattr(keras.applications, name)(
        weights=None,
        classifier_activation=None,
        classes=CLASSES,
        input_shape=preprocessing.shape,
        **options,
    )
    target = targets.adapt_keras(network, name="zoo", preprocessing=preprocessing)

    def forward(params: Params, images: Array) -> Array:
        return network.stateless_call(params["trainable"], params["non_trainable"], images, training=False)[0]

    return Adapted(target, forward)


_KERAS = {
    "ResNet50": ("ResNet-50", 1 + 3 * 16),
    "VGG16": ("VGG-16", 13 + 2),
    "DenseNet121": ("DenseNet-121", 1 + 2 * 58 + 3 + 1),
    "MobileNetV2": ("MobileNetV2", 1 + 1 + 2 * 16 + 1),
    # Stem and two at the end; of 11 blocks, one does not widen; nine squeeze.
    "MobileNetV3Small": ("MobileNetV3-Small", 3 + 1 + 2 * 10 + 9),
    "MobileNetV3Large": ("MobileNetV3-Large", 3 + 1 + 2 * 14 + 8),
    "EfficientNetB0": ("EfficientNet-B0", 2 + 1 + 2 * 15 + 16),
    "ConvNeXtTiny": ("ConvNeXt-Tiny", 18),
}

for _name, (_title, _count) in _KERAS.items():

    @model(f"keras_{_name.lower()}", _title, "Keras", _count)
    def _(preprocessing: Preprocessing, shallow: bool, name: str = _name) -> Adapted:
        return _keras(name, preprocessing)


# Equimo, in Equinox. A block has two activations; where it squeezes, one more.


def _equinox(network: Any, preprocessing: Preprocessing) -> Adapted:
    import equinox as eqx  # type: ignore[import-not-found]

    key = jax.random.key(0)
    target = targets.adapt_equinox(network, name="zoo", preprocessing=preprocessing, key=key, inference=True)
    _, static = eqx.partition(eqx.nn.inference_mode(network), eqx.is_inexact_array)

    def forward(params: Params, images: Array) -> Array:
        whole = eqx.combine(params["model"], static)
        return jax.vmap(lambda image: whole(image, key=key, inference=True))(images.transpose(0, 3, 1, 2))

    return Adapted(target, forward)


@model("equinox_mobilenet", "MobileNetV3-Small", "Equimo, Equinox", 1 + 2 * 11 + 9)
def _(preprocessing: Preprocessing, shallow: bool) -> Adapted:
    import equimo.models  # type: ignore[import-not-found]

    return _equinox(equimo.models.mobilenetv3_small(num_classes=CLASSES), preprocessing)


@model("equinox_convnext", "ConvNeXt-Tiny", "Equimo, Equinox", 18, shallow=4)
def _(preprocessing: Preprocessing, shallow: bool) -> Adapted:
    import equimo.models

    fewer = {"depths": list(ONE_EACH)} if shallow else {}
    return _equinox(equimo.models.convnext_t(num_classes=CLASSES, **fewer), preprocessing)


# Haiku.


def _haiku(name: str, preprocessing: Preprocessing, **options: Any) -> Adapted:
    import haiku as hk  # type: ignore[import-not-found]

    def network(images: Array, is_training: bool) -> Array:
        return getattr(hk.nets, name)(num_classes=CLASSES, **options)(images, is_training=is_training)

    made = hk.transform_with_state(network)
    target = targets.adapt_haiku(made, name="zoo", preprocessing=preprocessing, is_training=False)

    def forward(params: Params, images: Array) -> Array:
        return made.apply(params["params"], params["state"], None, images, is_training=False)[0]

    return Adapted(target, forward)


@model("haiku_resnet18", "ResNet-18", "Haiku", 1 + 2 * 8)
def _(preprocessing: Preprocessing, shallow: bool) -> Adapted:
    return _haiku("ResNet18", preprocessing)


# Before each convolution, and once behind the last block.
@model("haiku_resnet50v2", "ResNet-50 v2", "Haiku", 3 * 16 + 1, shallow=3 * 4 + 1)
def _(preprocessing: Preprocessing, shallow: bool) -> Adapted:
    blocks = ONE_EACH if shallow else (3, 4, 6, 3)
    return _haiku("ResNet", preprocessing, blocks_per_group=blocks, resnet_v2=True)


@model("haiku_mobilenet", "MobileNetV1", "Haiku", 1 + 2 * 13)
def _(preprocessing: Preprocessing, shallow: bool) -> Adapted:
    return _haiku("MobileNetV1", preprocessing)
