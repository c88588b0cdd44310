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


def write_pictures(root, parts):
    for part, number in parts.items():
        for place in range(number):
            path = root / part / "ab"[place % 2] / f"{place}.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.new("L", (4, 4), len(part) + place).save(path)
    return str(root)


@pytest.mark.parametrize(
    ("parts", "said", "sizes"),
    [
        ({"": 10}, "0.2 of the images, drawn at random", (8, 2)),
        ({"train": 10}, "0.2 of the images, drawn at random", (8, 2)),
        ({"train": 10, "test": 4, "val": 6}, "the split test", (10, 4)),
        ({"Training": 10, "Testing": 4}, "the split test", (10, 4)),
        ({"train": 10, "valid": 6}, "the split valid", (10, 6)),
    ],
)
def test_what_is_scored_by_default_is_what_there_is_for_that_and_is_said(
    tmp_path, capsys, parts, said, sizes
):
    options = runs.TargetRun(data=write_pictures(tmp_path, parts), eval_fraction=0.2)
    train, held_out = runs.open_data(options, seed=0)
    assert (len(train), len(held_out)) == sizes
    names = {source.name(i) for source in (train, held_out) for i in range(len(source))}
    assert len(names) == sum(sizes)
    assert f"scored is {said} (--eval-split auto)\n" in capsys.readouterr().out


def test_a_split_that_is_asked_for_is_the_one_that_is_missed(tmp_path):
    options = runs.TargetRun(data=write_pictures(tmp_path, {"": 10}), eval_split="test")
    with pytest.raises(InputError, match=r'no split "test".*in one part'):
        runs.open_data(options, seed=0)


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
