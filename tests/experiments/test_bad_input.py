"""Every mistake a user makes is one clear sentence with exit status 2, and loses nothing."""

import numpy as np
import pytest
from PIL import Image

from jaxpath import targets


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """Weights of an untrained ResNet-8: what they compute does not matter here."""
    import jax

    path = tmp_path_factory.mktemp("weights") / "resnet8.safetensors"
    target = targets.resnet8()
    targets.save_weights(target, target.init(jax.random.key(0)), path)
    return path


@pytest.fixture
def images(tmp_path):
    """A data set of ten classes with two images each."""
    path = tmp_path / "data.npz"
    pixels = np.random.default_rng(0).integers(0, 256, (20, 32, 32, 3), dtype=np.uint8)
    labels = np.arange(20) % 10
    np.savez(path, train_images=pixels, train_labels=labels, test_images=pixels, test_labels=labels)
    return path


def one_sentence(result, *parts):
    status, error = result
    assert status == 2
    lines = [line for line in error.splitlines() if line.startswith("error: ")]
    assert len(lines) == 1 and "Traceback" not in error
    for part in parts:
        assert part in lines[0], lines[0]


def test_a_data_folder_that_does_not_exist(start, tmp_path, weights):
    arguments = ["--data", f"folder:{tmp_path / 'none'}", "--weights", weights, "--model", "resnet8"]
    one_sentence(start("imagenet", *arguments, "--out", tmp_path / "out"), "there is no folder", "none")


def test_a_data_folder_without_images(start, tmp_path, weights):
    (tmp_path / "empty" / "n01440764").mkdir(parents=True)
    arguments = ["--data", f"folder:{tmp_path / 'empty'}", "--weights", weights, "--model", "resnet8"]
    one_sentence(start("imagenet", *arguments, "--out", tmp_path / "out"), "no images", "empty")


def test_a_file_that_is_no_image_is_named(start, tmp_path, weights):
    folder = tmp_path / "photographs"
    for label in range(10):
        (folder / str(label)).mkdir(parents=True)
        Image.new("RGB", (40, 40), (label, 0, 0)).save(folder / str(label) / "a.png")
        (folder / str(label) / "broken.jpg").write_text("not an image")
    arguments = [
        "--data",
        folder,
        "--weights",
        weights,
        "--batch-size",
        8,
        "--steps",
        2,
        "--model",
        "resnet8",
    ]
    result = start("imagenet", *arguments, "--out", tmp_path / "out")
    one_sentence(result, "broken.jpg is not a readable image", "--skip-unreadable")


def test_labels_outside_the_classes(start, tmp_path, weights):
    np.savez(tmp_path / "d.npz", images=np.zeros((4, 32, 32, 3), np.uint8), labels=np.array([0, 3, 10, 1]))
    arguments = ["--data", tmp_path / "d.npz", "--weights", weights, "--model", "resnet8", "--batch-size", 8]
    one_sentence(start("imagenet", *arguments, "--out", tmp_path / "out"), "label 10", "0 to 9")


def test_weights_of_another_architecture(start, tmp_path, weights, images):
    arguments = ["--data", images, "--weights", weights, "--model", "resnet20", "--out", tmp_path / "out"]
    one_sentence(start("cifar10", *arguments), "look like the weights of resnet8", "missing keys")


def test_an_unknown_model_lists_the_names(start, tmp_path, weights, images):
    arguments = ["--data", images, "--weights", weights, "--model", "resnet19", "--out", tmp_path / "out"]
    one_sentence(start("cifar10", *arguments), "resnet19", *targets.names())


def test_a_batch_that_does_not_divide_over_the_devices(start, tmp_path, weights, images):
    arguments = ["--data", images, "--weights", weights, "--model", "resnet8", "--out", tmp_path / "out"]
    one_sentence(start("cifar10", *arguments, "--batch-size", 12), "batch size is 12", "8 devices", "8 or 16")


def test_an_output_folder_of_another_configuration(start, tmp_path, monkeypatch):
    out = tmp_path / "out"
    tiny = ["--train-steps", 1, "--train-batch-size", 8, "--steps", 1, "--batch-size", 8, "--out", out]

    def stop(*args, **kwargs):
        raise SystemExit(0)

    # Before the first step: the folder is claimed by then.
    monkeypatch.setattr("jaxpath.training.fit", stop)
    assert start("digits", *tiny)[0] == 0
    before = sorted(path for path in out.rglob("*"))
    one_sentence(start("digits", *tiny, "--seed", 1), "another configuration", "seed is 0 there and 1 here")
    assert sorted(path for path in out.rglob("*")) == before


def test_a_share_to_hold_out_that_is_none(start, tmp_path, weights, images):
    arguments = ["--data", images, "--weights", weights, "--model", "resnet8", "--out", tmp_path / "out"]
    one_sentence(start("imagenet", *arguments, "--eval-fraction", 1.5), "between 0 and 1")


def test_an_unknown_option_is_told_by_the_command_line(start, tmp_path):
    status, error = start("train_target", "--data", "digits", "--modle", "resnet8")
    assert status == 2
    assert "modle" in error


def target_run(folder, images, weights):
    """A command line in which nothing is wrong yet."""
    return {"--data": images, "--weights": weights, "--model": "resnet8", "--out": folder / "out"}


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"--data": "nowhere.npz"}, ["nowhere.npz"]),
        ({"--data": "gopher:digits"}, ["gopher", "folder:PATH"]),
        ({"--data": "tfds:no_such_set"}, ["no_such_set"]),
        ({"--eval-split": "validation"}, ["validation", "test", "train"]),
        ({"--weights": "nowhere.safetensors"}, ["nowhere.safetensors"]),
        ({"--weights": "garbage.safetensors"}, ["garbage.safetensors"]),
        ({"--weights": "weights.onnx"}, ["weights.onnx", ".safetensors"]),
        ({"--train-images": "nowhere.tar"}, ["nowhere.tar"]),
        ({"--train-images": "garbage.tar"}, ["garbage.tar"]),
        ({"--augment": "rotate"}, ["rotate", "shift_flip"]),
        ({"--batch-size": 0}, ["--batch-size is 0", "1 or more"]),
        ({"--steps": 0}, ["--steps is 0", "1 or more"]),
        ({"--seed": -1}, ["--seed is -1", "0 or more"]),
        ({"--out": "garbage.tar"}, ["garbage.tar"]),
        ({"--leakage-weight": 1, "--batch-size": 8}, ["even number"]),
        ({"--coordinator": "10.0.0.1:80"}, ["--num-processes", "--process-id"]),
        ({"--faithfulness": -1}, ["faithfulness is -1", "above 0"]),
        ({"--budget": 1.5}, ["budget is 1.5", "at most 1"]),
        ({"--budget": 0.5, "--dual-rate": 0.1}, ["--dual-rate has no effect with --budget"]),
        ({"--width": 0}, ["--width is 0", "1 or more"]),
    ],
    ids=lambda value: " ".join(f"{k}={v}" for k, v in value.items()) if isinstance(value, dict) else "",
)
def test_a_wrong_option_is_one_sentence(start, tmp_path, monkeypatch, images, weights, changes, parts):
    monkeypatch.chdir(tmp_path)
    for name in ("garbage.safetensors", "garbage.tar", "weights.onnx"):
        (tmp_path / name).write_bytes(b"garbage" * 100)
    arguments = {**target_run(tmp_path, images, weights), **changes}
    one_sentence(start("cifar10", *[part for pair in arguments.items() for part in pair]), *parts)


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"--explainers": "saliency"}, ["saliency", "taylor_signed"]),
        ({"--generators": "run/generator.safetensors"}, ["NAME:FILE"]),
        ({"--generators": "gencnp:nowhere.safetensors"}, ["nowhere.safetensors"]),
        ({"--generators": "gencnp:garbage.safetensors"}, ["garbage.safetensors"]),
        ({"--densities": 1.5}, ["1.5", "0 to 1"]),
        ({"--eval-fraction": 2}, ["2"]),
    ],
    ids=lambda value: " ".join(f"{k}={v}" for k, v in value.items()) if isinstance(value, dict) else "",
)
def test_a_wrong_comparison_is_one_sentence(start, tmp_path, monkeypatch, images, weights, changes, parts):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "garbage.safetensors").write_bytes(b"garbage" * 100)
    arguments = {**target_run(tmp_path, images, weights), **changes}
    one_sentence(start("compare", *[part for pair in arguments.items() for part in pair]), *parts)


@pytest.mark.parametrize(
    ("changes", "parts"),
    [
        ({"--explainer": "saliency"}, ["saliency", "gencnp", "taylor_signed"]),
        ({"--density": 1.5}, ["--density is 1.5", "up to 1"]),
        ({"--models": ("resnet8", "resnet9")}, ["resnet9", "resnet8", "vgg11_bn"]),
        ({"--models": ("resnet8", "resnet18"), "--data": "photographs"}, ["(32, 32)", "--image-size"]),
        ({"--weights": ("nowhere.safetensors", "nowhere.safetensors")}, ["nowhere.safetensors"]),
        ({"--data": "nowhere.npz"}, ["nowhere.npz"]),
        ({"--eval-split": "validation"}, ["validation", "test", "train"]),
        ({"--images": 0}, ["--images is 0", "1 or more"]),
        ({"--train-batch-size": 12}, ["batch size is 12", "8 devices"]),
    ],
    ids=lambda value: " ".join(f"{k}={v}" for k, v in value.items()) if isinstance(value, dict) else "",
)
def test_a_wrong_comparison_of_architectures_is_one_sentence(
    start, tmp_path, monkeypatch, images, changes, parts
):
    monkeypatch.chdir(tmp_path)
    for split in ("train", "test"):
        for label in range(2):
            folder = tmp_path / "photographs" / split / str(label)
            folder.mkdir(parents=True)
            Image.new("RGB", (80, 80), (label, 0, 0)).save(folder / "a.png")
    arguments = {"--data": images, "--models": ("resnet8", "resnet8"), "--out": "out", **changes}
    flat = [
        part
        for name, value in arguments.items()
        for part in (name, *(value if isinstance(value, tuple) else (value,)))
    ]
    one_sentence(start("compare_architectures", *flat), *parts)
