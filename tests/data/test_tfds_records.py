"""TFDS without TensorFlow: a data set that is really prepared, and TFDS's own fake ImageNet."""

import sys

import numpy as np
import pytest
from PIL import Image

from jaxpath.data import Reading, check_labels, eval_batches, open_source, tfds
from jaxpath.types import InputError, Preprocessing

tensorflow_datasets = pytest.importorskip("tensorflow_datasets")

COLOUR = Preprocessing(None, (4, 4), (0.5,) * 3, (0.5,) * 3)


class TinyPictures(tensorflow_datasets.core.GeneratorBasedBuilder):
    """Six pictures [4, 4, 3] whose red value is their number."""

    VERSION = tensorflow_datasets.core.Version("1.0.0")

    def _info(self):
        features = tensorflow_datasets.features
        return tensorflow_datasets.core.DatasetInfo(
            builder=self,
            features=features.FeaturesDict(
                {
                    "image": features.Image(shape=(None, None, 3), encoding_format="png"),
                    "label": features.ClassLabel(names=["even", "odd"]),
                }
            ),
        )

    def _split_generators(self, dl_manager):
        return {"train": self._generate_examples()}

    def _generate_examples(self):
        for number in range(6):
            path = self._data_dir_root / f"{number}.png"
            Image.new("RGB", (4, 4), (number, 0, 0)).save(path)
            yield number, {"image": path, "label": number % 2}


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tfds")
    builder = TinyPictures(data_dir=folder, file_format="array_record")
    builder._data_dir_root = folder
    builder.download_and_prepare()
    return folder


def test_a_prepared_data_set_is_read_without_tensorflow(prepared):
    source = open_source("tfds:tiny_pictures", data_dir=prepared)
    batch = next(eval_batches(source, batch_size=6, preprocessing=COLOUR))
    numbers = batch["image"][:, 0, 0, 0]
    np.testing.assert_array_equal(np.sort(numbers), np.arange(6))
    np.testing.assert_array_equal(batch["label"], numbers % 2)
    assert source.class_names == ("even", "odd")
    assert "tensorflow" not in sys.modules


def test_worker_processes_read_a_prepared_data_set(prepared):
    source = tfds("tiny_pictures", "train", prepared)
    options = {"batch_size": 4, "preprocessing": COLOUR}
    batches = list(eval_batches(source, reading=Reading(num_workers=1), **options))
    for batch, expected in zip(batches, eval_batches(source, **options), strict=True):
        np.testing.assert_array_equal(batch["image"], expected["image"])


def test_a_data_set_that_is_not_there_is_one_sentence(prepared):
    for name, split in [("tiny_pictures", "test"), ("no_such_pictures", "train"), ("cifar10", "train")]:
        with pytest.raises(InputError, match=f'no split "{split}" of the TFDS data set "{name}"') as caught:
            tfds(name, split, prepared)
        assert "\n" not in str(caught.value)


def test_a_target_with_other_classes_is_refused(prepared):
    source = tfds("tiny_pictures", "train", prepared)
    check_labels(source, 2)
    with pytest.raises(InputError, match="2 classes, but the target has 1000"):
        check_labels(source, 1000)


def test_fake_imagenet_comes_in_batches_of_the_targets_size(tmp_path):
    preprocessing = Preprocessing(36, (32, 32), (0.5,) * 3, (0.5,) * 3)
    policy = tensorflow_datasets.testing.MockPolicy.USE_CODE
    with tensorflow_datasets.testing.mock_data(num_examples=5, policy=policy):
        source = open_source("tfds:imagenet2012", split="validation", data_dir=tmp_path)
        check_labels(source, 1000)
        batches = list(eval_batches(source, batch_size=2, preprocessing=preprocessing))
    assert [batch["image"].shape for batch in batches] == [(2, 32, 32, 3)] * 3
    assert sum(batch["weight"].sum() for batch in batches) == 5
    assert source.class_names[0] == "n01440764"
