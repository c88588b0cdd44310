"""What a run works on: images to learn from and images to score."""

import numpy as np
import pytest
from PIL import Image

from jaxpath import data, runs
from jaxpath.types import InputError


@pytest.mark.parametrize("held_out", [{"eval_split": "test"}, {"eval_split": None, "eval_fraction": 0.2}])
def test_no_image_is_both_learned_from_and_scored(held_out):
    train, scored = runs.open_data(runs.DataOptions(data="digits", **held_out), seed=0)
    learned = {image["image"].tobytes() for image in map(train.__getitem__, range(len(train)))}
    assert len(train) + len(scored) == 1797
    assert learned.isdisjoint(scored[i]["image"].tobytes() for i in range(len(scored)))


@pytest.mark.parametrize("ignore", [False, True])
def test_images_to_learn_from_are_turned_unless_that_is_ignored(tmp_path, ignore):
    stored = np.arange(48, dtype=np.uint8).reshape(6, 8)
    exif = Image.Exif()
    exif[0x0112] = 6
    for name in ("train/a", "val/a"):
        (tmp_path / name).mkdir(parents=True)
        Image.fromarray(stored).save(tmp_path / name / "x.png", exif=exif)
    options = runs.DataOptions(data=str(tmp_path), eval_split="val", ignore_exif=ignore)
    for source in runs.open_data(options, seed=0):
        image = data.decode(source[0]["image"], channels=1)[..., 0]
        np.testing.assert_array_equal(image, stored if ignore else np.rot90(stored, -1))


def test_words_and_numbers_of_folders_are_neither_joined_nor_paired(tmp_path):
    for name, classes in {"set/train": ("ant", "bee"), "set/val": ("1", "2"), "more": ("1", "2")}.items():
        for place in classes:
            (tmp_path / name / place).mkdir(parents=True)
            Image.new("RGB", (8, 8)).save(tmp_path / name / place / "a.png")
    given = f"folder:{tmp_path / 'set'}"
    paired = runs.DataOptions(data=given, train_split="train", eval_split="val")
    more = f"folder:{tmp_path / 'more'}"
    joined = runs.DataOptions(data=f"{given}/train", train_images=more, eval_split=None)
    for options in (paired, joined):
        with pytest.raises(InputError, match=r'"1", "2".*"ant", "bee".*unknown which is which.*wnids.json'):
            runs.open_data(options, seed=0)
