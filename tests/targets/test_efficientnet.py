"""What EfficientNet and ConvNeXt have and no other network has: squeezed channels, timm's names, scales."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from safetensors.numpy import save_file

from jaxpath import Taps, targets
from jaxpath.targets import registry
from jaxpath.targets.convnext import ConvNeXt
from jaxpath.targets.efficientnet import SqueezeExcitation
from jaxpath.targets.torch_names import parameter_slots


def test_channels_are_weighed_by_what_all_places_say():
    module = SqueezeExcitation("block", 1, jnp.float32)
    kernels = [np.array([[[[1.0], [2.0]]]]), np.array([[[[3.0, -1.0]]]])]
    params = {
        name: {"kernel": kernel, "bias": np.zeros(kernel.shape[-1])}
        for name, kernel in zip(("fc1", "fc2"), kernels, strict=True)
    }
    x = np.array([[[[1.0, 0.0]], [[3.0, 2.0]]]])  # [1, 2, 1, 2], means 2 and 1
    taps = Taps(None)
    y = module.apply({"params": params}, x, taps)
    silu = 4 / (1 + np.exp(-4.0))
    factors = 1 / (1 + np.exp(-silu * np.array([3.0, -1.0])))
    np.testing.assert_allclose(y, x * factors, rtol=1e-6)
    np.testing.assert_allclose(taps.features["000.block.activation"], np.full((1, 1, 1, 1), silu), rtol=1e-6)


def test_a_block_of_scale_0_adds_nothing():
    module = ConvNeXt(3, ((4, 2),))
    images = np.random.default_rng(0).normal(size=(1, 8, 8, 3)).astype(np.float32)
    params = module.init(jax.random.key(0), images)
    for block in ("features_1_0", "features_1_1"):
        params["params"][block]["layer_scale"] = np.zeros((4, 1, 1), np.float32)
    stem = ConvNeXt(3, ((4, 0),))
    kept = {name: value for name, value in params["params"].items() if not name.startswith("features_1")}
    np.testing.assert_allclose(
        module.apply(params, images)[0], stem.apply({"params": kept}, images)[0], rtol=1e-6
    )


TIMM = {
    "convnext_tiny": {
        "stem.0.weight": "features.0.0.weight",
        "stem.1.bias": "features.0.1.bias",
        "stages.1.downsample.0.weight": "features.2.0.weight",
        "stages.3.downsample.1.weight": "features.6.1.weight",
        "stages.2.blocks.8.gamma": "features.5.8.layer_scale",
        "stages.2.blocks.8.conv_dw.weight": "features.5.8.block.0.weight",
        "stages.0.blocks.0.mlp.fc2.bias": "features.1.0.block.5.bias",
        "head.norm.weight": "classifier.0.weight",
        "head.fc.weight": "classifier.2.weight",
    },
    "efficientnet_b0": {
        "conv_stem.weight": "features.0.0.weight",
        "bn1.running_mean": "features.0.1.running_mean",
        "blocks.0.0.conv_dw.weight": "features.1.0.block.0.0.weight",
        "blocks.0.0.se.conv_reduce.weight": "features.1.0.block.1.fc1.weight",
        "blocks.0.0.bn2.weight": "features.1.0.block.2.1.weight",
        "blocks.5.3.conv_pwl.weight": "features.6.3.block.3.0.weight",
        "blocks.5.3.se.conv_expand.bias": "features.6.3.block.2.fc2.bias",
        "blocks.6.0.bn3.running_var": "features.7.0.block.3.1.running_var",
        "conv_head.weight": "features.8.0.weight",
        "classifier.bias": "classifier.1.bias",
    },
}
"""timm's names, as timm 1.0's networks have them -> torchvision's."""


@pytest.mark.parametrize("name", TIMM)
def test_weights_with_timms_names_are_loaded_and_recognised(name, tmp_path):
    target = targets.make_target(name, num_classes=5, image_size=64)
    (family,) = registry.families_of(name)
    ours = {slot.key: slot for slot in parameter_slots(target)}
    rng = np.random.default_rng(0)
    theirs, expected = {}, {}
    by_layer = {}
    for other, layer in family.aliases.items():
        # The paper's authors named ConvNeXt's layers differently from both.
        if not other.startswith(("downsample_layers", "norm", "head")) and ".dwconv" not in other:
            by_layer.setdefault(layer, other)
    by_layer |= {"classifier.0": "head.norm", "classifier.2": "head.fc"} if name == "convnext_tiny" else {}
    for key, slot in ours.items():
        layer, _, leaf = key.rpartition(".")
        other = by_layer[key] if key in by_layer else f"{by_layer[layer]}.{leaf}"
        expected[key] = rng.random(slot.torch_shape, np.float32)
        theirs[other] = expected[key].reshape(-1) if leaf == "layer_scale" else expected[key]
    for other, key in TIMM[name].items():
        np.testing.assert_array_equal(theirs[other].reshape(-1), expected[key].reshape(-1))
    save_file(theirs, tmp_path / "weights.safetensors")
    assert targets.describe_weights(tmp_path / "weights.safetensors")[:3] == (name, 5, 3)
    params = targets.load_weights(target, tmp_path / "weights.safetensors")
    targets.save_weights(target, params, tmp_path / "ours.safetensors")
    again = targets.load_weights(target, tmp_path / "ours.safetensors")
    jax.tree.map(np.testing.assert_array_equal, again, params)
    for key, slot in ours.items():
        node = params
        for part in slot.path:
            node = node[part]
        np.testing.assert_array_equal(slot.to_torch(np.asarray(node)), expected[key])
