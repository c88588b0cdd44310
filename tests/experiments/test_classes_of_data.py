"""Experiments compare the classes of what they are given by name, and refuse labels that are none."""

import numpy as np
import pytest
from PIL import Image
from test_bad_input import one_sentence

from jaxpath import targets


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    import jax

    path = tmp_path_factory.mktemp("weights") / "resnet8.safetensors"
    target = targets.resnet8(image_size=8)
    targets.save_weights(target, target.init(jax.random.key(0)), path)
    return path


def write_folders(path, names):
    for place, name in enumerate(names):
        (path / name).mkdir(parents=True)
        for number in range(2):
            Image.new("RGB", (8, 8), (place, number, 0)).save(path / name / f"{number}.png")
    return path


WORDS = [f"class {letter}" for letter in "abcdefghij"]

TRAINING = {
    "train_target": ["--model", "resnet8"],
    "compare_architectures": ["--models", "resnet8", "resnet8"],
    "discover_cifar10": ["--model", "resnet8"],
    "flint_cifar10": [],
    "flint_mnist": [],
}
"""Experiments that train a classifier, and what they need besides data."""

TRAINED = {
    "imagenet": ["--model", "resnet8", "--image-size", 8],
    "cifar10": ["--model", "resnet8"],
    "compare": ["--model", "resnet8"],
    "sanity": ["--model", "resnet8", "--trained"],
    "lap_imagenet": ["--model", "resnet8", "--image-size", 8],
    "flint_posthoc": ["--model", "resnet8"],
}
"""Experiments on a trained classifier."""


@pytest.mark.parametrize("name", ["train_target", "discover_cifar10", "flint_mnist", "imagenet"])
def test_splits_of_other_classes_are_refused(start, tmp_path, weights, name):
    write_folders(tmp_path / "set" / "train", WORDS)
    write_folders(tmp_path / "set" / "test", [*WORDS[:9], "frog"])
    more = TRAINING[name] if name in TRAINING else [*TRAINED[name], "--weights", weights]
    arguments = ["--data", tmp_path / "set", "--eval-split", "test", *more, "--out", tmp_path / "out"]
    one_sentence(start(name, *arguments), '"frog"', "of the training data")
    assert not (tmp_path / "out" / "results.json").exists()


def test_further_training_images_of_other_classes_are_refused(start, tmp_path):
    data = write_folders(tmp_path / "set", WORDS)
    more = write_folders(tmp_path / "more", [*WORDS[:9], "frog"])
    arguments = ["--data", data, "--train-images", more, "--model", "resnet8", "--out", tmp_path / "out"]
    one_sentence(start("train_target", *arguments, "--eval-split", "None"), '"frog"', "of the data with")


@pytest.mark.parametrize("name", TRAINING)
def test_hidden_labels_train_no_classifier(start, tmp_path, name):
    images = np.zeros((20, 8, 8, 3), np.uint8)
    arrays = {f"{split}_images": images for split in ("train", "test")}
    labels = {"train_labels": np.arange(20) % 10, "test_labels": np.full(20, -1)}
    np.savez(tmp_path / "d.npz", **arrays, **labels)
    arguments = [
        "--data",
        tmp_path / "d.npz",
        *TRAINING[name],
        "--eval-split",
        "test",
        "--out",
        tmp_path / "out",
    ]
    one_sentence(start(name, *arguments), "has the label -1", "take labelled data")


@pytest.mark.parametrize("name", TRAINED)
def test_labels_outside_the_classes_are_refused(start, tmp_path, weights, name):
    images = np.zeros((20, 8, 8, 3), np.uint8)
    arrays = {f"{split}_images": images for split in ("train", "test")}
    labels = {f"{split}_labels": np.append(np.arange(19) % 10, 10) for split in ("train", "test")}
    np.savez(tmp_path / "d.npz", **arrays, **labels)
    more = [*TRAINED[name], *([weights] if name == "sanity" else [])]
    if name in ("compare",):
        more += ["--num-classes", 10]
    arguments = ["--data", tmp_path / "d.npz", "--weights", weights, *more, "--eval-split", "test"]
    one_sentence(start(name, *arguments, "--out", tmp_path / "out"), "has the label 10", "0 to 9")


def test_labels_from_one_on_train_no_classifier(start, tmp_path):
    np.savez(tmp_path / "d.npz", images=np.zeros((20, 8, 8), np.uint8), labels=1 + np.arange(20) % 10)
    arguments = ["--data", tmp_path / "d.npz", "--model", "resnet8", "--out", tmp_path / "out"]
    one_sentence(start("train_target", *arguments, "--eval-split", "None"), "1 to 10 and none is 0")
