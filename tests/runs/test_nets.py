"""A classifier opened by its weights: who says its size and preprocessing, and what if nobody does."""

import json

import jax
import numpy as np
import pytest
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from jaxpath import data, gencnp, runs, targets
from jaxpath.runs import PreprocessingOptions, WeightsOptions, load_net
from jaxpath.types import InputError

DIGITS = data.ArraySource(np.zeros((10, 8, 8, 1), np.uint8), np.arange(10))
TARGET = targets.resnet8(image_size=8, channels=1)


def flags(**options):
    return WeightsOptions(preprocessing=PreprocessingOptions(**options))


@pytest.fixture(scope="module")
def params():
    return TARGET.init(jax.random.key(0))


@pytest.fixture
def ours(params, tmp_path):
    """Weights that jaxpath wrote."""
    path = tmp_path / "weights.safetensors"
    targets.save_weights(TARGET, params, path, class_names=[f"digit {k}" for k in range(10)])
    return str(path)


@pytest.fixture
def foreign(ours, tmp_path):
    """The same tensors from elsewhere, in a folder of their own."""
    path = tmp_path / "foreign" / "weights.safetensors"
    path.parent.mkdir()
    save_file(load_file(ours), path)
    return str(path)


@pytest.fixture
def old(ours, tmp_path):
    """The same tensors with the header of an older version, which kept the name alone."""
    path = tmp_path / "old.safetensors"
    save_file(load_file(ours), path, metadata={"jaxpath.target": "resnet8"})
    return str(path)


def test_a_file_of_ours_says_all_of_it(ours, params, capsys):
    net = load_net(None, ours)
    assert net.target.preprocessing == TARGET.preprocessing
    assert (net.target.name, net.target.num_classes) == ("resnet8", 10)
    assert net.class_names[3] == "digit 3"
    jax.tree.map(np.testing.assert_array_equal, net.params, params)
    assert net.origin == "by the weights"
    assert "8 x 8, mean 0.449, std 0.226; by the weights" in capsys.readouterr().out


def test_images_of_another_size_do_not_change_what_the_file_says(ours):
    larger = data.ArraySource(np.zeros((10, 28, 28, 1), np.uint8), np.arange(10))
    assert load_net("resnet8", ours, like=larger).target.preprocessing.crop == (8, 8)


@pytest.mark.parametrize(
    ("options", "shape", "words"),
    [
        (None, {"image_size": 32}, "trained on images of 8 x 8 pixels, and 32 x 32 were asked for"),
        (flags(crop=9), {}, "trained on images of 8 x 8 pixels, and 9 x 9 were asked for"),
        (flags(mean=(0.5,)), {}, "--mean ask for .* mean 0.5, std 0.226; leave them out"),
        (flags(interpolation="bicubic"), {}, "--interpolation ask for"),
    ],
)
def test_what_contradicts_a_file_of_ours_is_refused(ours, options, shape, words):
    with pytest.raises(InputError, match=words):
        load_net(None, ours, options=options, **shape)


def test_what_agrees_with_a_file_of_ours_is_not(ours):
    options = flags(mean=(0.449,), std=(0.226,), crop=8, interpolation="bilinear")
    assert load_net(None, ours, options=options, image_size=8).target.preprocessing == TARGET.preprocessing


def test_an_older_file_of_ours_is_asked_about(old, capsys):
    with pytest.raises(InputError, match=r"do not say for which image size .* give --image-size"):
        load_net("resnet8", old, like=DIGITS)
    net = load_net("resnet8", old, image_size=8)
    assert net.target.preprocessing == TARGET.preprocessing
    assert "assumed, as the weights do not say it: --mean" in capsys.readouterr().out


def test_what_a_foreign_file_does_not_say_is_assumed_aloud(foreign, capsys):
    net = load_net(None, foreign)
    assert net.target.preprocessing == targets.resnet8(channels=1).preprocessing
    said = capsys.readouterr().out
    assert "classifier: resnet8 with 10 classes" in said
    assert "32 x 32, mean 0.449, std 0.226; model and preprocessing are assumed" in said
    assert "--model, --mean, --std, --resize, --crop, --interpolation change them" in said
    assert load_net("resnet8", foreign).origin.startswith("assumed, as the weights do not say it")


def test_small_images_are_taken_at_their_own_size_where_nobody_says_another(foreign):
    assert load_net(None, foreign, like=DIGITS).target.preprocessing.crop == (8, 8)
    assert load_net(None, foreign, like=DIGITS, image_size=16).target.preprocessing.crop == (16, 16)


def test_flags_change_what_is_assumed(foreign, params):
    options = flags(mean=(0.25,), std=(0.5,), resize=12, crop=8, interpolation="lanczos")
    net = load_net(None, foreign, options=options)
    assert tuple(net.target.preprocessing) == (12, (8, 8), (0.25,), (0.5,), "lanczos")
    assert net.origin.endswith("; --mean, --std, --resize, --crop, --interpolation as given")
    raw = np.random.default_rng(0).integers(0, 256, (2, 8, 8, 1), dtype=np.uint8)
    by_hand = ((raw / 255 - 0.25) / 0.5).astype("f4")
    np.testing.assert_allclose(
        net.target.apply(params, raw).logits, TARGET.apply(params, by_hand).logits, rtol=1e-4, atol=1e-5
    )


def test_a_recipe_is_followed_at_another_size_and_changed_by_flags(foreign, tmp_path):
    recipe = {
        "input_size": [1, 8, 8],
        "crop_pct": 0.9,
        "mean": [0.5],
        "std": [0.5],
        "interpolation": "bicubic",
    }
    config = {"architecture": "resnet8", "pretrained_cfg": recipe}
    (tmp_path / "foreign" / "config.json").write_text(json.dumps(config))

    def preprocessing(options=None, **shape):
        return tuple(load_net(None, foreign, options=options, **shape).target.preprocessing)

    assert preprocessing() == (8, (8, 8), (0.5,), (0.5,), "bicubic")  # floor(8 / 0.9)
    assert preprocessing(image_size=32) == (35, (32, 32), (0.5,), (0.5,), "bicubic")  # floor(32 / 0.9)
    assert preprocessing(flags(crop=32, resize=40, mean=(0.25,))) == (
        *(40, (32, 32), (0.25,), (0.5,)),
        "bicubic",
    )
    assert load_net(None, foreign).origin == f"by {tmp_path / 'foreign' / 'config.json'}"


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"mean": (123.7,)}, r"--mean is 123.7; expected numbers .* divide"),
        ({"std": (58.4, 57.1, 57.4)}, "--std is 58.4 57.1 57.4"),
        ({"std": (0.0,)}, "--std has a 0"),
        ({"std": (float("nan"),)}, "--std is nan"),
        ({"mean": ()}, "--mean is empty"),
        ({"mean": (0.5, 0.5)}, "--mean has 2 numbers; expected one for each of the 1 channels"),
        ({"resize": 4, "crop": 8}, "--resize is 4 and the crop is 8 x 8"),
    ],
)
def test_options_that_make_no_sense_are_one_sentence(foreign, options, words):
    with pytest.raises(InputError, match=words):
        load_net(None, foreign, options=flags(**options))


def test_a_crop_and_an_image_size_are_the_same_thing(foreign):
    with pytest.raises(InputError, match="--crop is 8 and --image-size is 16"):
        load_net(None, foreign, options=flags(crop=8), image_size=16)


def test_the_state_that_is_taken_is_said(foreign, capsys, tmp_path):
    raw = load_file(foreign)
    both = {f"model.{k}": v for k, v in raw.items()} | {f"model_ema.{k}": v / 2 for k, v in raw.items()}
    save_file(both, tmp_path / "both.safetensors")
    net = load_net(None, str(tmp_path / "both.safetensors"))
    said = capsys.readouterr().out
    assert (
        "of the states in the file, model is taken; --state chooses among it and model_ema (averaged)" in said
    )
    averaged = load_net(None, str(tmp_path / "both.safetensors"), options=WeightsOptions(state="ema"))
    np.testing.assert_array_equal(
        np.asarray(averaged.params["params"]["conv1"]["kernel"]) * 2, net.params["params"]["conv1"]["kernel"]
    )


def test_weights_that_tell_no_model_are_asked_about(tmp_path):
    save_file({"a.weight": np.zeros((2, 2), np.float32)}, tmp_path / "w.safetensors")
    with pytest.raises(InputError, match="do not tell their model; name it with --model"):
        load_net(None, str(tmp_path / "w.safetensors"))


def test_a_generator_of_an_older_version_is_said_not_to_know_its_classifier(params, tmp_path, capsys):
    generator = runs.make_generator(TARGET, runs.GeneratorOptions(width=8))
    weights = runs.init_generator(generator, TARGET, params, seed=0)
    path = tmp_path / runs.GENERATOR
    gencnp.save_generator(generator, weights, TARGET, path, target_params=params)
    runs.load_generator(tmp_path, TARGET, params=params)
    assert capsys.readouterr().out == ""
    with safe_open(path, framework="numpy") as file:
        header = json.loads(file.metadata()["jaxpath.generator"])
    del header["preprocessing"], header["target_params"], header["checksum"]
    save_file(load_file(path), path, metadata={"jaxpath.generator": json.dumps(header)})
    runs.load_generator(tmp_path, TARGET, params=params)
    assert "does not say for which weights and preprocessing it was trained" in capsys.readouterr().out
