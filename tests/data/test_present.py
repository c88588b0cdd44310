"""The classes that are there, of a list that names more, and classifiers that are trained on them."""

import json

import jax
import numpy as np
import pytest
from PIL import Image

from jaxpath import data, runs, targets
from jaxpath.types import InputError

IDS = ["n00000001", "n00000002", "n00000003", "n00000004", "n00000005"]
NAMES = ["tench", "crane", "beagle", "crane", "church"]


@pytest.fixture
def folder(tmp_path):
    """Pictures of three of five classes, in splits, with lists of all five beside them."""
    for split, number in (("train", 4), ("val", 2)):
        for place, name in ((4, IDS[4]), (0, IDS[0]), (2, IDS[2])):
            for picture in range(number):
                path = tmp_path / "photos" / split / name / f"{picture}.png"
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.new("L", (8, 8), 40 * place + picture).save(path)
    (tmp_path / "photos" / "wnids.json").write_text(json.dumps(IDS))
    (tmp_path / "photos" / "class_names.json").write_text(json.dumps(NAMES))
    return tmp_path / "photos"


def test_labels_are_places_among_the_classes_that_have_pictures(folder):
    sources = [data.open_source(str(folder), split=split) for split in ("train", "val")]
    assert sources[0].num_classes == 5
    train, held_out = data.present_classes(sources, 3)
    assert train.class_names == held_out.class_names == ("tench", "beagle", "church")
    for source in (train, held_out):
        for index in range(len(source)):
            grey = int(np.asarray(data.read_picture(source, index))[0, 0, 0]) // 40
            assert source[index]["label"] == source.labels[index] == {0: 0, 2: 1, 4: 2}[grey]


@pytest.mark.parametrize("number", [2, 4, 6])
def test_another_number_is_refused(folder, number):
    source = data.open_source(str(folder), split="train")
    with pytest.raises(
        InputError, match=f"have 5 classes, 3 of them with pictures, and {number} were asked for"
    ):
        data.present_classes([source], number)


def test_all_classes_of_a_list_are_taken_as_they_are(folder):
    source = data.open_source(str(folder), split="train")
    assert data.present_classes([source], 5) == [source]


def test_a_classifier_of_the_classes_that_are_there_scores_images_by_their_names(folder, tmp_path):
    target = targets.resnet8(num_classes=7, image_size=8)
    targets.save_weights(target, target.init(jax.random.key(0)), tmp_path / "trunk.safetensors")
    start = runs.StartOptions(init_from=str(tmp_path / "trunk.safetensors"), freeze="trunk")
    options = runs.TargetRun(
        model="resnet8",
        data=f"folder:{folder}",
        eval_split="val",
        num_classes=3,
        out=tmp_path / "head",
        classifier=runs.ClassifierOptions(
            train_steps=4, train_batch_size=8, train_augment="none", start=start
        ),
    )
    accuracy = runs.run_target(options)
    net = runs.load_net(None, str(tmp_path / "head" / runs.WEIGHTS))
    assert net.class_names == ("tench", "beagle", "church")
    # Its image size is that of the weights that it began with.
    assert net.target.preprocessing.crop == (8, 8)
    everything = data.open_source(str(folder), split="val")
    fitted = data.fit_classes(everything, 3, data.Known(net.class_names, "the classifier"))
    assert runs.classifier_accuracy(net.target, net.params, fitted, batch_size=8) == pytest.approx(accuracy)
