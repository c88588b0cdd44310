"""Batches of arrays: those of the pipeline's order, one view of each example an epoch, resumable."""

import numpy as np
import pytest

from jaxpath import data
from jaxpath.data import ArrayBatches, Shard
from jaxpath.types import InputError, Preprocessing

SIZE, VIEWS, BATCH = 7, 3, 4


def make(seed=0, **options):
    rows = np.arange(VIEWS * SIZE)
    return ArrayBatches(
        {"label": rows % SIZE, "read_0": rows[:, None] * np.ones((1, 2), np.float32)},
        num_views=VIEWS,
        batch_size=BATCH,
        seed=seed,
        **options,
    )


def take(batches, count):
    return [next(batches) for _ in range(count)]


def test_every_epoch_has_every_example_once_in_one_of_its_views():
    rows = np.concatenate([batch["read_0"][:, 0] for batch in take(make(), 28)]).reshape(16, SIZE)
    seen = set()
    for epoch in rows.astype(int):
        assert sorted(epoch % SIZE) == list(range(SIZE))
        seen |= set(epoch.tolist())
    # 16 epochs draw one of three views of each of 7 examples.
    assert seen == set(range(VIEWS * SIZE))


def test_the_order_is_that_of_the_pipeline():
    images = np.zeros((SIZE, 4, 4, 1), np.uint8)
    preprocessing = Preprocessing(None, (4, 4), (0.0,), (1.0,))
    pipeline = data.train_batches(
        data.ArraySource(images, np.arange(SIZE)), batch_size=BATCH, preprocessing=preprocessing, seed=5
    )
    for ours, theirs in zip(take(make(seed=5), 6), take(pipeline, 6), strict=True):
        for name in ("label", "index", "weight"):
            np.testing.assert_array_equal(ours[name], theirs[name])
    pipeline.close()


def test_they_go_on_where_a_state_says():
    straight, first = take(make(), 5), make()
    take(first, 3)
    resumed = make()
    resumed.set_state(first.get_state())
    for ours, expected in zip(take(resumed, 2), straight[3:], strict=True):
        for name, values in expected.items():
            np.testing.assert_array_equal(ours[name], values)
    with pytest.raises(InputError, match="had 8 examples, but the data set now has 7"):
        resumed.set_state({"next_batch": 0, "num_examples": 8})


def test_processes_share_each_batch():
    whole = next(make())
    parts = [next(make(shard=Shard(process, 2))) for process in range(2)]
    for name, values in whole.items():
        np.testing.assert_array_equal(np.stack([p[name] for p in parts], 1).reshape(values.shape), values)


def test_a_batch_that_does_not_divide_is_refused():
    with pytest.raises(InputError, match="expected a multiple of the 3 processes"):
        make(shard=Shard(0, 3))
