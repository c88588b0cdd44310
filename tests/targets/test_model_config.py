"""timm's config.json: another network of the same names is refused, another recipe is followed."""

import json
import sys
from types import ModuleType

import jax
import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from jaxpath import targets
from jaxpath.targets.torch_names import parameter_slots
from jaxpath.types import InputError, Preprocessing

IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)
RECIPE = {
    "input_size": [3, 224, 224],
    "interpolation": "bicubic",
    "crop_pct": 0.95,
    "crop_mode": "center",
    "mean": list(IMAGENET_MEAN),
    "std": list(IMAGENET_STD),
    "num_classes": 3,
}


def write_weights(path, target):
    tensors = {slot.key: np.zeros(slot.torch_shape, np.float16) for slot in parameter_slots(target)}
    save_file(tensors, path)


@pytest.fixture(scope="module")
def vit(tmp_path_factory):
    path = tmp_path_factory.mktemp("vit") / "model.safetensors"
    write_weights(path, targets.deit_tiny(num_classes=3))
    return path.read_bytes()


@pytest.fixture
def folder(tmp_path):
    """``folder(architecture, **recipe)``: a ResNet-18 of three classes with this config.json beside it."""
    path = tmp_path / "model.safetensors"
    write_weights(path, targets.resnet18(num_classes=3))

    def make(architecture="resnet18", config=None, **recipe):
        text = {"architecture": architecture, "num_classes": 3, "pretrained_cfg": {**RECIPE, **recipe}}
        (tmp_path / "config.json").write_text(json.dumps({**text, **(config or {})}))
        return path

    return make


@pytest.mark.parametrize(
    ("share", "size", "resize"),
    # floor(size / crop_pct), by hand.
    [(0.875, 224, 256), (0.9, 224, 248), (0.95, 224, 235), (1.0, 224, 224), (0.965, 288, 298)],
)
def test_the_recipe_is_followed(folder, share, size, resize):
    path = folder(crop_pct=share, input_size=[3, size, size])
    described = targets.describe_weights(path)
    assert described.preprocessing == Preprocessing(
        resize, (size, size), IMAGENET_MEAN, IMAGENET_STD, "bicubic"
    )
    assert (described.name, described.num_classes, described.channels) == ("resnet18", 3, 3)
    assert described.source == str(path.with_name("config.json"))


def test_fields_that_a_recipe_leaves_out_are_timms_own(folder, tmp_path):
    path = folder()
    config = {"architecture": "resnet18", "pretrained_cfg": {"input_size": [3, 224, 224]}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    assert targets.describe_weights(path).preprocessing == Preprocessing(
        256, (224, 224), IMAGENET_MEAN, IMAGENET_STD, "bicubic"
    )


def test_an_architecture_without_a_recipe_leaves_the_preprocessing_open(folder, tmp_path):
    path = folder()
    (tmp_path / "config.json").write_text('{"architecture": "resnet18", "num_classes": 3}')
    described = targets.describe_weights(path)
    assert (described.name, described.preprocessing) == ("resnet18", None)


def test_a_vit_of_the_same_size_has_its_own_name_and_mean(vit, tmp_path):
    (tmp_path / "model.safetensors").write_bytes(vit)
    recipe = {**RECIPE, "mean": [0.5] * 3, "std": [0.5] * 3, "crop_pct": 0.9}
    config = {
        "architecture": "vit_tiny_patch16_224",
        "num_classes": 3,
        "global_pool": "token",
        "pretrained_cfg": recipe,
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    described = targets.describe_weights(tmp_path / "model.safetensors")
    assert described.name == "vit_tiny"
    assert described.preprocessing == Preprocessing(248, (224, 224), (0.5,) * 3, (0.5,) * 3, "bicubic")


@pytest.mark.parametrize(
    ("architecture", "config", "words"),
    [
        ("resnetblur50", {}, "resnetblur50"),
        ("resnet18d", {}, "resnet18d"),
        ("resnet18", {"model_args": {"aa_layer": "blurpool"}}, "resnet18 with aa_layer"),
        ("resnet18", {"model_args": {"act_layer": "silu", "num_classes": 3}}, "resnet18 with act_layer"),
        ("resnet18", {"global_pool": "max"}, "resnet18 with global_pool"),
    ],
)
def test_another_network_with_the_same_names_is_refused_by_its_own(folder, architecture, config, words):
    with pytest.raises(InputError, match=f"are of {words}, which is none of the networks here"):
        targets.describe_weights(folder(architecture, config))


@pytest.mark.parametrize(
    ("recipe", "words"),
    [
        ({"crop_mode": "squash"}, "crop_mode 'squash'"),
        ({"crop_pct": "big"}, "crop_pct 'big'"),
        ({"crop_pct": 0}, "crop_pct 0"),
        ({"input_size": [3, 224, 192]}, "input_size"),
        ({"input_size": 224}, "input_size 224"),
        ({"mean": [0.5, None, 0.5]}, "mean"),
        ({"std": [0.5, 0.0, 0.5]}, "std"),
        ({"interpolation": "random"}, "interpolation 'random'"),
    ],
)
def test_a_recipe_that_cannot_be_followed_is_refused(folder, recipe, words):
    with pytest.raises(InputError, match=rf"config.json holds the {words}"):
        targets.describe_weights(folder(**recipe))


@pytest.mark.parametrize("text", ["", "{", "[1, 2]", '"resnet18"', "[" * 100_000])
def test_a_damaged_configuration_is_one_sentence(folder, tmp_path, text):
    path = folder()
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(InputError, match=r"config\.json") as error:
        targets.describe_weights(path)
    assert "\n" not in str(error.value)


def test_a_configuration_of_something_else_does_not_count(folder, tmp_path):
    path = folder()
    (tmp_path / "config.json").write_text('{"architectures": ["ResNetForImageClassification"], "lr": 1}')
    described = targets.describe_weights(path)
    assert (described.name, described.preprocessing, described.source) == ("resnet18", None, "")


def test_class_names_are_those_of_the_labels_if_there_is_one_for_each(folder):
    path = folder(config={"label_names": ["ant", "bee", "cat"]})
    assert targets.describe_weights(path).class_names == ("ant", "bee", "cat")
    path = folder(config={"label_names": ["ant", "bee"]})
    assert targets.describe_weights(path).class_names == ()


def test_a_file_that_jaxpath_wrote_says_more_than_a_configuration_beside_it(tmp_path):
    target = targets.resnet8(image_size=8)
    targets.save_weights(target, target.init(jax.random.key(0)), tmp_path / "weights.safetensors")
    (tmp_path / "config.json").write_text('{"architecture": "resnetblur50"}')
    assert targets.describe_weights(tmp_path / "weights.safetensors").preprocessing == target.preprocessing


class NotFound(Exception):
    """In the place of EntryNotFoundError."""


class Offline(NotFound, FileNotFoundError, ValueError):
    """In the place of LocalEntryNotFoundError."""


@pytest.fixture
def hub(folder, tmp_path, monkeypatch):
    """The Hub as a folder on this disk: ``hub()`` puts a repository there."""
    library, errors = ModuleType("huggingface_hub"), ModuleType("huggingface_hub.errors")
    missing = [NotFound]

    def hf_hub_download(repository, file):
        assert repository == "timm/some"
        if not (tmp_path / file).is_file():
            raise missing[0](f"404: {file}")
        return str(tmp_path / file)

    library.hf_hub_download = hf_hub_download
    errors.EntryNotFoundError, errors.HfHubHTTPError = NotFound, NotFound
    monkeypatch.setitem(sys.modules, "huggingface_hub", library)
    monkeypatch.setitem(sys.modules, "huggingface_hub.errors", errors)
    folder()
    return missing


def test_the_configuration_on_the_hub_is_read(hub, folder):
    assert targets.describe_weights("hf://timm/some").preprocessing.resize == 235
    folder("resnetblur50")
    with pytest.raises(InputError, match=r"config\.json of hf://timm/some says .* resnetblur50"):
        targets.describe_weights("hf://timm/some")


def test_a_repository_without_configuration_is_none_and_a_lost_connection_is_an_error(hub, tmp_path):
    (tmp_path / "config.json").unlink()
    assert targets.describe_weights("hf://timm/some").preprocessing is None
    hub[0] = Offline
    with pytest.raises(InputError, match=r"config\.json could not be downloaded: 404"):
        targets.describe_weights("hf://timm/some")


def test_the_weights_of_a_repository_load(hub, tmp_path):
    target = targets.resnet18(num_classes=3)
    params = targets.load_weights(target, "hf://timm/some")
    stored = load_file(tmp_path / "model.safetensors")["fc.bias"]
    np.testing.assert_array_equal(params["params"]["fc"]["bias"], stored)
