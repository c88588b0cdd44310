"""Published classifiers in Flax that nobody here wrote, with the number of their activations counted by hand.

Each entry makes one as its own library's users do, adapts it, and keeps its own forward pass to compare with.
Its package is loaded by nobody else. Counts are those of the papers' tables: what is added up stands in the
entry. Where the library takes a number of layers, the entry also makes a shallow network of the same layers,
whose programs compile in a fraction of the time.
"""

import dataclasses
import importlib
import importlib.util
import sys
import types
from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from entries import CLASSES, ONE_EACH, Adapted, model
from jax import Array

from jaxpath import Preprocessing, targets
from jaxpath.types import Params


def _linen(module: Any, preprocessing: Preprocessing, **options: Any) -> Adapted:
    target = targets.adapt_linen(module, name="zoo", preprocessing=preprocessing, **options)
    return Adapted(target, lambda params, images: module.apply(params, images, **options))


def _first_of_linen(module: Any, preprocessing: Preprocessing) -> Adapted:
    """big_vision's modules return what they computed on the way, too."""

    def forward(params: Params, images: Array) -> Array:
        return module.apply(params, images)[0]

    def init(key: Array) -> Params:
        return module.init(key, jnp.zeros((1, *preprocessing.shape)))

    target = targets.adapt_function(forward, init=init, name="zoo", preprocessing=preprocessing)
    return Adapted(target, forward)


def _nnx(make: Callable[..., Any], preprocessing: Preprocessing, **options: Any) -> Adapted:
    from flax import nnx

    target = targets.adapt_nnx(make, name="zoo", preprocessing=preprocessing, **options)

    def forward(params: Params, images: Array) -> Array:
        module = make(rngs=nnx.Rngs(0))
        module.eval()
        state = nnx.state(module)
        nnx.replace_by_pure_dict(state, params)
        nnx.update(module, state)
        return module(images, **options)

    return Adapted(target, forward)


# Flax's examples: the folder examples/imagenet of its repository on the path.


@model("flax_resnet18", "ResNet-18", "Flax examples, Linen", 1 + 2 * 8)
def _(preprocessing: Preprocessing, shallow: bool) -> Adapted:
    import models  # type: ignore[import-not-found]

    return _linen(models.ResNet18(num_classes=CLASSES), preprocessing, train=False)


@model("flax_resnet50", "ResNet-50", "Flax examples, Linen", 1 + 3 * 16, shallow=1 + 3 * 4)
def _(preprocessing: Preprocessing, shallow: bool) -> Adapted:
    import models

    fewer = {"stage_sizes": ONE_EACH} if shallow else {}
    return _linen(models.ResNet50(num_classes=CLASSES, **fewer), preprocessing, train=False)


# transformers 4, which has models of Flax.


def _transformers(kind: str, preprocessing: Preprocessing, **config: Any) -> Adapted:
    import transformers  # type: ignore[import-not-found]

    made = getattr(transformers, f"{kind}Config")(num_labels=CLASSES, **config)
    shape = (1, *preprocessing.shape)
    network = getattr(transformers, f"Flax{kind}ForImageClassification")(
        made, input_shape=shape, _do_init=False
    )

    def forward(params: Params, images: Array) -> Array:
        return network(images.transpose(0, 3, 1, 2), params=params).logits

    def init(key: Array) -> Params:
        return network.init_weights(key, shape)

    target = targets.adapt_function(forward, init=init, name="zoo", preprocessing=preprocessing)
    return Adapted(target, forward)


_TINY = {"hidden_size": 192, "num_attention_heads": 3, "intermediate_size": 768}


@model("hf_resnet50", "ResNet-50", "Hugging Face, Linen", 1 + 3 * 16, shallow=1 + 3 * 4)
def _(preprocessing: Preprocessing, shallow: bool) -> Adapted:
    fewer = {"depths": ONE_EACH} if shallow else {}
    return _transformers("ResNet", preprocessing, **fewer)


# Two of a layer's convolutions, the squeezed channels, the sum; 2 + 6 + 12 + 2 layers.
@model("hf_regnet", "RegNetY-4.0GF", "Hugging Face, Linen", 1 + 4 * 22, shallow=1 + 4 * 4)
def _(preprocessing: Preprocessing, shallow: bool) -> Adapted:
    fewer = {"depths": ONE_EACH} if shallow else {}
    return _transformers("RegNet", preprocessing, **fewer)


@model("hf_vit", "ViT-Tiny", "Hugging Face, Linen", 12, shallow=2)
def _(preprocessing: Preprocessing, shallow: bool) -> Adapted:
    layers, size = 2 if shallow else 12, preprocessing.crop[0]
    return _transformers("ViT", preprocessing, image_size=size, num_hidden_layers=layers, **_TINY)


@model("hf_beit", "BEiT, width 192", "Hugging Face, Linen", 12, shallow=2)
def _(preprocessing: Preprocessing, shallow: bool) -> Adapted:
    return _transformers(
        "Beit",
        preprocessing,
        image_size=preprocessing.crop[0],
        num_hidden_layers=2 if shallow else 12,
        use_relative_position_bias=True,
        **_TINY,
    )


@model("hf_dinov2", "DINOv2, width 192", "Hugging Face, Linen", 12, shallow=2, side=28)
def _(preprocessing: Preprocessing, shallow: bool) -> Adapted:
    return _transformers(
        "Dinov2",
        preprocessing,
        image_size=preprocessing.crop[0],
        num_hidden_layers=2 if shallow else 12,
        patch_size=14,
        hidden_size=192,
        num_attention_heads=3,
    )


# Bonsai: a clone of jax-ml/bonsai on the path.


@model("bonsai_resnet50", "ResNet-50", "Bonsai, NNX", 1 + 3 * 16, shallow=1 + 3 * 4)
def _(preprocessing: Preprocessing, shallow: bool) -> Adapted:
    from bonsai.models.resnet import modeling  # type: ignore[import-not-found]

    config = modeling.ModelConfig(ONE_EACH if shallow else [3, 4, 6, 3], CLASSES)
    return _nnx(lambda rngs: modeling.ResNet(config, rngs=rngs), preprocessing)


@model("bonsai_convnext", "ConvNeXt-Tiny", "Bonsai, NNX", 18, shallow=4)
def _(preprocessing: Preprocessing, shallow: bool) -> Adapted:
    from bonsai.models.convnext import modeling

    config = modeling.ModelConfig.convnext_tiny_224(num_classes=CLASSES)
    if shallow:
        config = dataclasses.replace(config, stage_depths=ONE_EACH)
    return _nnx(lambda rngs: modeling.ConvNeXt(config, rngs=rngs), preprocessing, rngs=None, train=False)


# Stem and head; of 16 blocks, one does not widen; the squeezed channels of each.
@model(
    "bonsai_efficientnet", "EfficientNet-B0", "Bonsai, NNX", 2 + 1 + 2 * 15 + 16, shallow=2 + 1 + 2 * 6 + 7
)
def _(preprocessing: Preprocessing, shallow: bool) -> Adapted:
    from bonsai.models.efficientnet import modeling

    config = modeling.ModelConfig.b0(num_classes=CLASSES)
    if shallow:  # one block of each kind
        config = dataclasses.replace(config, depth_coefficient=0.1)
    return _nnx(lambda rngs: modeling.EfficientNet(config, rngs=rngs), preprocessing, training=False)


@model("bonsai_vit", "ViT, width 192", "Bonsai, NNX", 12, shallow=2)
def _(preprocessing: Preprocessing, shallow: bool) -> Adapted:
    from bonsai.models.vit import modeling

    config = dataclasses.replace(
        modeling.ModelConfig.vit_p16_224(),
        image_size=preprocessing.crop,
        hidden_dim=192,
        num_heads=3,
        num_layers=2 if shallow else 12,
        mlp_dim=768,
        num_labels=CLASSES,
    )
    return _nnx(lambda rngs: modeling.ViTClassificationModel(config, rngs=rngs), preprocessing, rngs=None)


# Its three last layers have no activation between them.
@model("bonsai_vgg19", "VGG-19", "Bonsai, NNX", 16, shallow=5)
def _(preprocessing: Preprocessing, shallow: bool) -> Adapted:
    from bonsai.models.vgg19 import modeling

    layers = [1, 1, 1, 1, 1] if shallow else [2, 2, 4, 4, 4]
    config = modeling.ModelConfig(CLASSES, layers, [64, 128, 256, 512, 512, 256])
    return _nnx(lambda rngs: modeling.VGG(config, rngs=rngs), preprocessing)


# Two in each of 58 layers, three transitions, the last one; its stem has none.
@model("bonsai_densenet", "DenseNet-121", "Bonsai, NNX", 2 * 58 + 3 + 1, shallow=2 * 8 + 3 + 1)
def _(preprocessing: Preprocessing, shallow: bool) -> Adapted:
    from bonsai.models.densenet121 import modeling

    config = modeling.ModelConfig(CLASSES, [2, 2, 2, 2] if shallow else [6, 12, 24, 16], 32)
    return _nnx(lambda rngs: modeling.DenseNet(config, rngs=rngs), preprocessing)


# big_vision: a clone of google-research/big_vision on the path.


def _big_vision(name: str) -> Any:
    # It opens files by TensorFlow, which the models do not need: an empty module is there while it is loaded.
    # Flax would ask that module what it is, and has to be there before.
    importlib.import_module("flax.training.checkpoints")
    names = ("tensorflow", "tensorflow.io", "tensorflow.io.gfile")
    absent = importlib.util.find_spec("tensorflow") is None
    made = {name: types.ModuleType(name) for name in names} if absent else {}
    for name_of_empty, empty in made.items():
        sys.modules[name_of_empty] = empty
        parent, _, child = name_of_empty.rpartition(".")
        if parent:
            setattr(made[parent], child, empty)
    try:
        return importlib.import_module(f"big_vision.models.{name}")
    finally:
        for name_of_empty in made:
            del sys.modules[name_of_empty]


def _vit(preprocessing: Preprocessing, shallow: bool, **options: Any) -> Adapted:
    layers = 2 if shallow else 12
    network = _big_vision("vit").Model(CLASSES, variant="Ti/16", depth=layers, **options)
    return _first_of_linen(network, preprocessing)


@model("big_vision_vit", "ViT-Ti/16", "big_vision, Linen", 12, shallow=2)
def _(preprocessing: Preprocessing, shallow: bool) -> Adapted:
    return _vit(preprocessing, shallow, pool_type="tok")


@model("big_vision_vit_scan", "ViT-Ti/16 by scan", "big_vision, Linen", 12, shallow=2)
def _(preprocessing: Preprocessing, shallow: bool) -> Adapted:
    return _vit(preprocessing, shallow, scan=True)


# The head attends once more, and has an MLP.
@model("big_vision_vit_map", "ViT-Ti/16, head MAP", "big_vision, Linen", 12 + 1, shallow=2 + 1)
def _(preprocessing: Preprocessing, shallow: bool) -> Adapted:
    return _vit(preprocessing, shallow, pool_type="map")


@model("big_vision_mixer", "Mixer-S/16", "big_vision, Linen", 2 * 8, shallow=2 * 2)
def _(preprocessing: Preprocessing, shallow: bool) -> Adapted:
    fewer = {"num_blocks": 2} if shallow else {}
    return _first_of_linen(_big_vision("mlp_mixer").Model(CLASSES, variant="S/16", **fewer), preprocessing)


@model("big_vision_bit", "BiT ResNet-50", "big_vision, Linen", 1 + 3 * 16, shallow=1 + 3 * 4)
def _(preprocessing: Preprocessing, shallow: bool) -> Adapted:
    depth = ONE_EACH if shallow else 50
    return _first_of_linen(_big_vision("bit").Model(CLASSES, depth=depth), preprocessing)
