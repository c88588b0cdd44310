"""Batches: shards, order, exact resume, padding, augmentation and unreadable files."""

import functools
import multiprocessing
import os

import numpy as np
import pytest
from PIL import Image

from jaxpath.data import (
    ArraySource,
    NothingReadable,
    Reading,
    Shard,
    Subset,
    UnreadableImage,
    eval_batches,
    first_stored,
    folder,
    train_batches,
)
from jaxpath.types import InputError, Preprocessing

SIZE = 8
GREY = Preprocessing(None, (SIZE, SIZE), (0.5,), (0.5,))


def make_source(size=23):
    images = np.random.default_rng(0).integers(1, 256, size=(size, SIZE, SIZE, 1), dtype=np.uint8)
    return ArraySource(images, np.arange(size) % 5)


def train(source, **options):
    defaults = {"batch_size": 6, "preprocessing": GREY, "seed": 0}
    reading = Reading(num_threads=1)._replace(
        **{name: options.pop(name) for name in Reading._fields if name in options}
    )
    return train_batches(source, **{**defaults, **options}, reading=reading)


def take(batches, count):
    taken = [next(batches) for _ in range(count)]
    batches.close()
    return taken


def assert_same(left, right):
    assert len(left) == len(right)
    for a, b in zip(left, right, strict=True):
        assert a.keys() == b.keys()
        for name in a:
            np.testing.assert_array_equal(a[name], b[name])


def interleaved(parts, name):
    """The global batches of several processes: example j of process p is number p + P j."""
    return [
        np.stack([batch[name] for batch in group], axis=1).reshape(-1) for group in zip(*parts, strict=True)
    ]


def test_a_batch_holds_the_examples_that_it_names():
    source = make_source()
    batch = take(train(source), 1)[0]
    assert {name: (array.dtype.name, array.shape) for name, array in batch.items()} == {
        "image": ("uint8", (6, SIZE, SIZE, 1)),
        "label": ("int32", (6,)),
        "index": ("int64", (6,)),
        "weight": ("float32", (6,)),
    }
    np.testing.assert_array_equal(batch["image"], source.images[batch["index"]])
    np.testing.assert_array_equal(batch["label"], source.labels[batch["index"]])
    np.testing.assert_array_equal(batch["weight"], np.ones(6))


@pytest.mark.parametrize("count", [1, 2, 3])
def test_shards_are_disjoint_and_complete_in_every_epoch(count):
    source = make_source(23)
    parts = [take(train(source, shard=Shard(p, count)), 12) for p in range(count)]
    stream = np.concatenate(interleaved(parts, "index"))
    for epoch in range(3):
        np.testing.assert_array_equal(np.sort(stream[epoch * 23 : (epoch + 1) * 23]), np.arange(23))
    assert not np.array_equal(stream[:23], stream[23:46])


def test_the_global_batches_do_not_depend_on_the_number_of_processes():
    source = make_source()
    alone = take(train(source, augment="shift_flip"), 5)
    parts = [take(train(source, augment="shift_flip", shard=Shard(p, 3)), 5) for p in range(3)]
    for number, batch in enumerate(alone):
        for p in range(3):
            assert_same([{name: array[p::3] for name, array in batch.items()}], [parts[p][number]])


def test_the_seed_decides_the_order_and_the_augmentation():
    source = make_source()
    first = take(train(source, augment="shift", seed=1), 4)
    assert_same(first, take(train(source, augment="shift", seed=1, num_threads=3), 4))
    other = take(train(source, augment="shift", seed=2), 4)
    assert not np.array_equal(first[0]["index"], other[0]["index"])


def test_an_example_looks_different_in_the_next_epoch():
    source = make_source(4)
    epochs = take(train(source, augment="shift_flip", batch_size=4), 6)
    views = {epoch["image"][epoch["index"] == 2].tobytes() for epoch in epochs}
    assert len(views) > 2


def test_a_batch_may_be_larger_than_the_data_set():
    batch = take(train(make_source(4), batch_size=10), 1)[0]
    np.testing.assert_array_equal(np.bincount(batch["index"][:8]), [2, 2, 2, 2])


@pytest.mark.parametrize("num_threads", [0, 2])
def test_a_restored_state_goes_on_bit_by_bit(num_threads):
    source = make_source()
    batches = train(source, augment="shift_flip", num_threads=num_threads)
    for _ in range(3):
        next(batches)
    state = batches.get_state()
    expected = take(batches, 4)

    other = train(source, augment="shift_flip", num_threads=num_threads)
    next(other)
    other.set_state(state)
    assert_same(take(other, 4), expected)
    # Closed batches start again where they were.
    assert other.get_state()["next_batch"] == 7


def test_worker_processes_make_the_same_batches_and_resume_exactly():
    source = make_source()
    expected = take(train(source, augment="shift_flip"), 7)
    batches = train(source, augment="shift_flip", num_workers=2)
    batches_read = [next(batches) for _ in range(3)]
    state = batches.get_state()
    batches.close()
    assert_same(batches_read, expected[:3])
    batches = train(source, augment="shift_flip", num_workers=2)
    batches.set_state(state)
    assert_same(take(batches, 4), expected[3:])


def die(number):
    os._exit(9)


def test_killed_workers_are_replaced_and_no_batch_is_lost(capfd):
    source = make_source()
    expected = take(train(source), 30)
    batches = train(source, num_workers=2)
    batches_read = [next(batches) for _ in range(3)]
    for worker in multiprocessing.active_children():
        worker.kill()
        worker.join()
    batches_read += [next(batches) for _ in range(27)]
    batches.close()
    assert_same(batches_read, expected)
    assert "a data worker died" in capfd.readouterr().err


def test_workers_that_die_at_every_try_end_the_run():
    batches = train(make_source(), num_workers=1)
    batches._make_batch = die
    with pytest.raises(InputError, match="died 3 times"):
        next(batches)


def test_a_state_of_another_data_set_is_refused():
    state = train(make_source(23)).get_state()
    with pytest.raises(InputError, match="had 23 examples, but the data set now has 22"):
        train(make_source(22)).set_state(state)


@pytest.mark.parametrize("count", [1, 2, 3])
def test_an_evaluation_pass_holds_every_example_once_and_pads_the_end(count):
    source = make_source(14)
    parts = [
        list(eval_batches(source, batch_size=6, preprocessing=GREY, shard=Shard(p, count)))
        for p in range(count)
    ]
    index, weight = (np.concatenate(interleaved(parts, name)) for name in ("index", "weight"))
    np.testing.assert_array_equal(index, [*range(14), -1, -1, -1, -1])
    np.testing.assert_array_equal(weight, [1] * 14 + [0] * 4)
    for batch in (batch for part in parts for batch in part):
        real = batch["weight"] == 1
        np.testing.assert_array_equal(batch["image"][real], source.images[batch["index"][real]])
        assert not batch["image"][~real].any()


def test_an_evaluation_pass_in_worker_processes_ends():
    source = make_source(14)
    batches_read = list(
        eval_batches(source, batch_size=6, preprocessing=GREY, reading=Reading(num_workers=2))
    )
    assert_same(batches_read, list(eval_batches(source, batch_size=6, preprocessing=GREY)))


@pytest.fixture
def damaged(tmp_path):
    """Six pictures of which number 2 is no image and number 3 is cut off."""
    for label in ("a", "b"):
        (tmp_path / label).mkdir()
        for number in range(3):
            Image.new("RGB", (64, 64), (200, 100, 50)).save(tmp_path / label / f"{number}.jpg")
    (tmp_path / "a" / "2.jpg").write_bytes(b"no picture")
    cut = (tmp_path / "b" / "0.jpg").read_bytes()[:-200]
    (tmp_path / "b" / "0.jpg").write_bytes(cut)
    return folder(tmp_path)


COLOUR = Preprocessing(40, (32, 32), (0.5,) * 3, (0.5,) * 3)


@pytest.mark.parametrize("options", [{"num_threads": 0}, {"num_threads": 2}, {"num_workers": 1}])
def test_an_unreadable_file_is_one_sentence_that_names_it(damaged, options):
    batches = eval_batches(damaged, batch_size=6, preprocessing=COLOUR, reading=Reading(**options))
    with pytest.raises(InputError, match=r"a/2.jpg is not a readable image .*--skip-unreadable") as caught:
        next(batches)
    assert "\n" not in str(caught.value)


def test_unreadable_files_weigh_nothing_in_an_evaluation_and_are_counted(damaged):
    batches = eval_batches(damaged, batch_size=4, preprocessing=COLOUR, reading=Reading(skip_unreadable=True))
    weight = np.concatenate([batch["weight"] for batch in batches])
    np.testing.assert_array_equal(weight, [1, 1, 0, 0, 1, 1, 0, 0])
    assert batches.unreadable == (damaged.name(2), damaged.name(3))


@pytest.mark.parametrize("num_workers", [0, 1])
def test_unreadable_files_are_replaced_by_the_next_in_training_and_counted(damaged, num_workers):
    batches = train_batches(
        damaged,
        batch_size=6,
        preprocessing=COLOUR,
        seed=0,
        augment="crop_flip",
        reading=Reading(num_workers, skip_unreadable=True),
    )
    batch = next(batches)
    batches.close()
    np.testing.assert_array_equal(np.bincount(batch["index"]), [1, 1, 0, 0, 3, 1])
    np.testing.assert_array_equal(batch["weight"], np.ones(6))
    assert batches.unreadable == (damaged.name(2), damaged.name(3))


def test_a_data_set_without_one_readable_image_ends_the_run(tmp_path):
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "0.jpg").write_bytes(b"no picture")
    batches = train(folder(tmp_path), preprocessing=COLOUR, skip_unreadable=True)
    with pytest.raises(InputError, match="none of the 1 images can be read"):
        next(batches)


def darken(picture, rng, preprocessing):
    return np.asarray(picture) // 2


def enlarge(picture, rng, preprocessing, *, times):
    return np.repeat(picture, times, axis=0)


def test_a_function_can_be_the_augmentation():
    source = make_source()
    batch = take(train(source, augment=darken), 1)[0]
    np.testing.assert_array_equal(batch["image"], source.images[batch["index"]] // 2)
    with pytest.raises(
        InputError, match=r"returned uint8 of shape \[16, 8, 1\].*shape \[8, 8, 1\] was expected"
    ):
        next(train(source, augment=functools.partial(enlarge, times=2)))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"batch_size": 0}, "the batch size is 0"),
        ({"batch_size": 7, "shard": Shard(0, 2)}, "7, but it must be a multiple of the 2 processes.*take 6"),
        ({"shard": Shard(2, 2)}, "number 2 of 2"),
        ({"seed": -1}, "the seed is -1"),
    ],
)
def test_arguments_out_of_range_are_refused(options, message):
    with pytest.raises(InputError, match=message):
        train(make_source(), **options)


def test_real_photographs_come_in_batches(shared_data):
    preprocessing = Preprocessing(256, (224, 224), (0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
    source = folder(shared_data / "imagenet" / "images")
    batch = take(train(source, batch_size=16, preprocessing=preprocessing, augment="crop_flip"), 1)[0]
    assert batch["image"].shape == (16, 224, 224, 3)
    np.testing.assert_array_equal(batch["label"], 2 * batch["index"])
    assert (batch["image"].std(axis=(1, 2, 3)) > 5).all()


@pytest.fixture
def hopeless(tmp_path):
    """Two files that are no images."""
    (tmp_path / "hopeless" / "a").mkdir(parents=True)
    for number in range(2):
        (tmp_path / "hopeless" / "a" / f"{number}.jpg").write_bytes(b"no picture")
    return folder(tmp_path / "hopeless")


def third_of_a_pass(source, process):
    """What one of three processes reads of ``source``, without what is no image."""
    return eval_batches(
        source,
        batch_size=3,
        preprocessing=COLOUR,
        reading=Reading(skip_unreadable=True),
        shard=Shard(process, 3),
    )


@pytest.mark.parametrize("process", [0, 1, 2])
def test_a_pass_without_one_readable_image_says_so_on_every_process(hopeless, process):
    batches = third_of_a_pass(hopeless, process)
    expected = r"none of the 2 images can be read \(.*a/0.jpg: its format is unknown\); check"
    with pytest.raises(NothingReadable, match=expected):
        list(batches)


@pytest.mark.parametrize("process", [0, 1, 2])
def test_a_process_that_reads_nothing_goes_on_if_others_read_something(damaged, process):
    # Of six examples numbers 2 and 3 are damaged: process 2 of 3 has 2 and 5, process 0 has 0 and 3.
    part = Subset(damaged, [0, 1, 2])
    batches = third_of_a_pass(part, process)
    (batch,) = batches
    assert batch["weight"].sum() == (process != 2)


def test_the_first_image_that_is_there_says_what_a_data_set_holds(damaged, hopeless):
    class Absent(Subset):
        def __getitem__(self, index):
            if index < 2:
                raise UnreadableImage("it cannot be read: Permission denied")
            return super().__getitem__(index)

    assert first_stored(Absent(damaged, range(6))) == b"no picture"
    with pytest.raises(
        NothingReadable, match=r"none of the 2 .*a/0.jpg: it cannot be read: Permission denied"
    ):
        first_stored(Absent(hopeless, range(2)))
