"""Weights find their place, whatever project named them; a file that does not fit is refused in one go."""

import hashlib
import importlib.util
import json
import os
import stat
from functools import cache

import jax
import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from jaxpath import targets
from jaxpath.targets import registry
from jaxpath.targets.downloads import parse_hub_path
from jaxpath.targets.recognition import recognise
from jaxpath.targets.torch_names import parameter_slots
from jaxpath.types import InputError, Preprocessing

RESNET = targets.resnet8(num_classes=3)
VGG = targets.vgg11(num_classes=3, hidden=4, pool_size=2)
COMPETING = targets.resnet8(num_classes=3, competitors=4)


@cache
def make_params(target):
    return target.init(jax.random.key(0))


@pytest.fixture(scope="module")
def resnet_file(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "resnet8.safetensors"
    targets.save_weights(RESNET, make_params(RESNET), path)
    return path


def assert_same(result, expected):
    assert jax.tree.structure(result) == jax.tree.structure(expected)
    jax.tree.map(np.testing.assert_array_equal, result, expected)


def load_tensors(target, tensors, folder):
    path = folder / "changed.safetensors"
    save_file({key: np.ascontiguousarray(tensor) for key, tensor in tensors.items()}, path)
    return targets.load_weights(target, path)


@pytest.mark.parametrize("target", [RESNET, VGG, COMPETING], ids=lambda target: target.name)
def test_saved_weights_load_bit_for_bit(target, tmp_path):
    params = make_params(target)
    targets.save_weights(target, params, tmp_path / "new" / "weights.safetensors")
    assert_same(targets.load_weights(target, tmp_path / "new" / "weights.safetensors"), params)
    assert [path.name for path in (tmp_path / "new").iterdir()] == ["weights.safetensors"]


def test_weights_trained_in_competition_are_not_taken_for_rectified_ones(tmp_path):
    path = tmp_path / "weights.safetensors"
    targets.save_weights(COMPETING, make_params(COMPETING), path)
    assert targets.describe_weights(path).name == "resnet8_lwta4"
    with pytest.raises(InputError, match=r"those of resnet8_lwta4.*make the target resnet8_lwta4"):
        targets.load_weights(RESNET, path)


def test_the_same_parameters_make_the_same_bytes(resnet_file, tmp_path):
    for _ in range(8):
        targets.save_weights(RESNET, make_params(RESNET), tmp_path / "again.safetensors")
        assert (tmp_path / "again.safetensors").read_bytes() == resnet_file.read_bytes()


def test_layouts_are_pytorchs(resnet_file):
    tensors = load_file(resnet_file)
    params = targets.load_weights(RESNET, resnet_file)["params"]
    assert tensors["layer2.0.conv1.weight"].shape == (32, 16, 3, 3)
    kernel = params["layer2_0"]["conv1"]["kernel"]
    assert kernel[2, 1, 5, 7] == tensors["layer2.0.conv1.weight"][7, 5, 2, 1]
    assert params["linear"]["kernel"][9, 2] == tensors["linear.weight"][2, 9]


def test_the_first_dense_layer_of_a_vgg_reads_channels_before_space(tmp_path):
    params = make_params(VGG)
    targets.save_weights(VGG, params, tmp_path / "vgg.safetensors")
    tensor = load_file(tmp_path / "vgg.safetensors")["classifier.0.weight"]
    grid = np.random.default_rng(0).normal(size=(2, 2, 512)).astype(np.float32)  # [H, W, C]
    ours = grid.reshape(-1) @ np.asarray(params["params"]["classifier_0"]["kernel"])
    theirs = tensor @ grid.transpose(2, 0, 1).reshape(-1)
    np.testing.assert_allclose(ours, theirs, rtol=1e-5, atol=1e-6)


def test_timms_vgg_with_convolutions_for_dense_layers_is_the_same(tmp_path):
    params = make_params(VGG)
    targets.save_weights(VGG, params, tmp_path / "vgg.safetensors")
    tensors = load_file(tmp_path / "vgg.safetensors")
    for ours, theirs, shape in (
        ("classifier.0", "pre_logits.fc1", (4, 512, 2, 2)),
        ("classifier.3", "pre_logits.fc2", (4, 4, 1, 1)),
        ("classifier.6", "head.fc", (3, 4)),
    ):
        tensors[f"{theirs}.weight"] = tensors.pop(f"{ours}.weight").reshape(shape)
        tensors[f"{theirs}.bias"] = tensors.pop(f"{ours}.bias")
    assert_same(load_tensors(VGG, tensors, tmp_path), params)


def test_wrapped_names_counters_and_another_classifiers_name_are_understood(resnet_file, tmp_path):
    tensors = {
        "module." + key.replace("linear.", "fc."): value for key, value in load_file(resnet_file).items()
    }
    tensors["module.bn1.num_batches_tracked"] = np.array(7)
    assert_same(load_tensors(RESNET, tensors, tmp_path), targets.load_weights(RESNET, resnet_file))


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16, np.float64])
def test_other_precisions_become_float32(dtype, resnet_file, tmp_path):
    tensors = {key: value.astype(dtype) for key, value in load_file(resnet_file).items()}
    params = load_tensors(RESNET, tensors, tmp_path)
    kernel = params["params"]["conv1"]["kernel"]
    assert kernel.dtype == np.float32
    np.testing.assert_array_equal(kernel, tensors["conv1.weight"].astype(np.float32).transpose(2, 3, 1, 0))


def test_missing_unexpected_and_misshaped_keys_are_one_error(resnet_file, tmp_path):
    tensors = load_file(resnet_file)
    del tensors["bn1.bias"], tensors["layer1.0.conv2.weight"]
    tensors["extra.weight"] = np.zeros(1, np.float32)
    tensors["conv1.weight"] = np.zeros((16, 1, 3, 3), np.float32)
    tensors["linear.bias"] = np.zeros(3, np.int32)
    with pytest.raises(InputError) as error:
        load_tensors(RESNET, tensors, tmp_path)
    message = str(error.value)
    assert "2 missing keys (bn1.bias, layer1.0.conv2.weight)" in message
    assert "1 unexpected key (extra.weight)" in message
    assert "conv1.weight is float32 [16, 1, 3, 3], expected [16, 3, 3, 3]" in message
    assert "linear.bias is int32 [3]" in message
    assert "\n" not in message


def test_weights_of_another_architecture_are_recognised(resnet_file):
    with pytest.raises(InputError, match=r"and \d+ more.*look like the weights of resnet8"):
        targets.load_weights(targets.resnet20(), resnet_file)


def test_weights_for_other_classes_name_their_number(resnet_file):
    with pytest.raises(InputError, match="num_classes=3"):
        targets.load_weights(targets.resnet8(num_classes=10), resnet_file)


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("layer1.0.conv1.weight", np.nan, r"1 of 2304 values .* \(1 NaN, 0 infinite\)"),
        ("linear.bias", -np.inf, r"1 of 3 values .* \(0 NaN, 1 infinite\)"),
        ("layer2.0.bn1.running_var", np.inf, r"1 of 32 values .* \(0 NaN, 1 infinite\)"),
        ("bn1.running_var", -1e-3, "the variance -0.001; expected none below 0"),
    ],
)
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_a_value_that_is_no_number_is_named_by_its_tensor(key, value, words, dtype, resnet_file, tmp_path):
    tensors = {name: tensor.astype(dtype) for name, tensor in load_file(resnet_file).items()}
    tensors[key].reshape(-1)[1] = value
    with pytest.raises(InputError, match=rf"{key} in .*changed.safetensors' holds {words}"):
        load_tensors(RESNET, tensors, tmp_path)


def test_what_float32_cannot_hold_is_named_too(resnet_file, tmp_path):
    tensors = {name: tensor.astype(np.float64) for name, tensor in load_file(resnet_file).items()}
    tensors["linear.weight"][0, 0] = 1e300
    with pytest.raises(InputError, match=r"linear\.weight .*\(0 NaN, 1 infinite"):
        load_tensors(RESNET, tensors, tmp_path)


def test_a_variance_of_zero_is_one(resnet_file, tmp_path):
    tensors = load_file(resnet_file)
    tensors["bn1.running_var"][:] = 0
    assert not load_tensors(RESNET, tensors, tmp_path)["batch_stats"]["bn1"]["var"].any()


def write_raw(path, kind, size):
    """A safetensors file of one tensor [2] of a type that NumPy has not."""
    header = json.dumps({"conv1.weight": {"dtype": kind, "shape": [2], "data_offsets": [0, size]}}).encode()
    path.write_bytes(len(header).to_bytes(8, "little") + header + bytes(size))


@pytest.mark.parametrize(("kind", "size"), [("F8_E4M3", 2), ("F8_E5M2", 2), ("F8_E8M0", 2), ("C64", 16)])
def test_tensors_of_other_types_are_named(kind, size, tmp_path):
    write_raw(tmp_path / "odd.safetensors", kind, size)
    with pytest.raises(InputError, match=f"the tensor conv1.weight in .* is of type {kind}; expected plain"):
        targets.load_weights(RESNET, tmp_path / "odd.safetensors")


def test_the_header_says_what_tensors_do_not(tmp_path):
    path = tmp_path / "weights.safetensors"
    preprocessing = Preprocessing(9, (8, 8), (0.1, 0.2, 0.3), (0.5, 0.6, 0.7), "bicubic")
    target = targets.with_preprocessing(targets.resnet8(num_classes=3, image_size=8), preprocessing)
    params = make_params(RESNET)
    targets.save_weights(target, params, path, class_names=["ant", "bee", "cat"])
    described = targets.describe_weights(path)
    assert described[:3] == ("resnet8", 3, 3)
    assert described.preprocessing == preprocessing
    assert described.class_names == ("ant", "bee", "cat")
    assert described.is_ours
    assert_same(targets.load_weights(target, path), params)


def test_weights_for_another_size_or_preprocessing_are_refused(tmp_path):
    path = tmp_path / "weights.safetensors"
    target = targets.resnet8(num_classes=3, image_size=8)
    targets.save_weights(target, make_params(RESNET), path)
    with pytest.raises(InputError, match=r"trained on pictures with .* 8 x 8, mean 0.485 .* 32 x 32"):
        targets.load_weights(RESNET, path)
    shifted = target.preprocessing._replace(mean=(0.5, 0.5, 0.5))
    with pytest.raises(InputError, match=r"mean 0.485 0.456 0.406.* was made for .*mean 0.5 0.5 0.5"):
        targets.load_weights(targets.with_preprocessing(target, shifted), path)


def test_class_names_that_are_not_one_for_each_class_are_refused(tmp_path):
    with pytest.raises(InputError, match="2 class names were given for the 3 classes of resnet8"):
        targets.save_weights(RESNET, make_params(RESNET), tmp_path / "w.safetensors", class_names=["a", "b"])
    assert not (tmp_path / "w.safetensors").exists()


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", "3", "{}"),
        '{"target": "resnet8", "num_classes": "x"}',
        '{"target": "resnet8", "num_classes": 3, "preprocessing": {"mean": 1}}',
    ],
)
def test_a_damaged_header_is_one_sentence(text, resnet_file, tmp_path):
    path = tmp_path / "w.safetensors"
    save_file(load_file(resnet_file), path, metadata={"jaxpath.classifier": text})
    for read in (targets.describe_weights, lambda path: targets.load_weights(RESNET, path)):
        with pytest.raises(InputError, match=r"the header of .*w\.safetensors") as error:
            read(path)
        assert "\n" not in str(error.value)


def test_a_bit_that_was_flipped_is_found(resnet_file, tmp_path):
    content = bytearray(resnet_file.read_bytes())
    content[-5] ^= 1
    (tmp_path / "flipped.safetensors").write_bytes(content)
    with pytest.raises(InputError, match="not those that were written"):
        targets.load_weights(RESNET, tmp_path / "flipped.safetensors")


def test_a_header_of_an_older_version_tells_the_name_alone(resnet_file, tmp_path):
    path = tmp_path / "old.safetensors"
    save_file(load_file(resnet_file), path, metadata={"jaxpath.target": "resnet8"})
    described = targets.describe_weights(path)
    assert (described.name, described.preprocessing, described.is_ours) == ("resnet8", None, True)
    assert_same(targets.load_weights(RESNET, path), make_params(RESNET))


def test_averaged_weights_in_one_file_with_raw_ones_are_taken_if_asked_for(resnet_file, tmp_path):
    raw = load_file(resnet_file)
    tensors = {f"model.{key}": value for key, value in raw.items()}
    tensors |= {f"model_ema.module.{key}": value / 2 for key, value in raw.items()}
    save_file(tensors, tmp_path / "both.safetensors")
    described = targets.describe_weights(tmp_path / "both.safetensors")
    assert (described.state, described.other_states) == ("model", ("model_ema.module (averaged)",))
    kernel = raw["conv1.weight"].transpose(2, 3, 1, 0)
    for state, factor in ((None, 1), ("raw", 1), ("ema", 0.5), ("model_ema", 0.5)):
        params = targets.load_weights(RESNET, tmp_path / "both.safetensors", state=state)
        np.testing.assert_array_equal(params["params"]["conv1"]["kernel"], kernel * np.float32(factor))


@pytest.mark.parametrize("name", targets.names())
def test_every_architecture_is_recognised_by_its_own_keys(name):
    slots = parameter_slots(targets.make_target(name))
    assert recognise({slot.key: slot.torch_shape for slot in slots}) == registry.recognised_as(name)


@pytest.mark.parametrize(
    ("file", "words"),
    [
        ("nothing.safetensors", "does not exist"),
        ("folder", "is a folder"),
        ("text.safetensors", "no readable safetensors"),
        ("cut.safetensors", "no readable safetensors"),
        ("weights.h5", r"\.safetensors, \.pth"),
    ],
)
def test_files_that_are_no_weights_are_refused(file, words, resnet_file, tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "text.safetensors").write_text("not a header at all")
    (tmp_path / "cut.safetensors").write_bytes(resnet_file.read_bytes()[:-100])
    (tmp_path / "weights.h5").write_bytes(b"")
    with pytest.raises(InputError, match=words):
        targets.load_weights(RESNET, tmp_path / file)


def test_the_hash_is_the_files_sha256(tmp_path):
    (tmp_path / "file").write_bytes(b"abc")
    # The example of FIPS 180-4.
    assert targets.weights_hash(tmp_path / "file").startswith("ba7816bf8f01cfea414140de5dae2223")
    assert targets.weights_hash(tmp_path / "file") == hashlib.sha256(b"abc").hexdigest()


def test_only_the_targets_own_parameters_are_saved(tmp_path):
    with pytest.raises(InputError, match="resnet20"):
        targets.save_weights(
            targets.resnet20(num_classes=3), make_params(RESNET), tmp_path / "weights.safetensors"
        )
    with pytest.raises(InputError, match="suffix"):
        targets.save_weights(RESNET, make_params(RESNET), tmp_path / "weights.pth")


def test_a_path_on_the_hub_is_a_repository_and_a_file():
    assert parse_hub_path("hf://timm/vgg11.tv_in1k") == ("timm/vgg11.tv_in1k", "model.safetensors")
    assert parse_hub_path("hf://me/mine/sub/best.pth") == ("me/mine", "sub/best.pth")
    with pytest.raises(InputError, match="hf://owner/name"):
        parse_hub_path("hf://resnet50")


@pytest.mark.skipif(bool(importlib.util.find_spec("huggingface_hub")), reason="huggingface_hub is installed")
def test_without_the_library_of_the_hub_the_error_says_how_to_get_it():
    with pytest.raises(InputError, match=r"which is not installed; pip install huggingface_hub$"):
        targets.load_weights(RESNET, "hf://timm/resnet18.tv_in1k")


def test_colleagues_may_read_a_file_as_the_umask_says(tmp_path):
    before = os.umask(0o027)
    try:
        targets.save_weights(RESNET, make_params(RESNET), tmp_path / "weights.safetensors")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "weights.safetensors").stat().st_mode) == 0o640
