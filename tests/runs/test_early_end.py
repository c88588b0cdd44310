"""Generators that end early or begin with another one: the run's folder, and a second start."""

import dataclasses

import jax
import numpy as np
import pytest

from jaxpath import data, gencnp, metrics, runs, targets, training
from jaxpath.runs.stopping import StoppingOptions
from jaxpath.types import InputError

TARGET = targets.resnet8(image_size=8, channels=1)
SOURCE = data.Subset(data.digits("train"), np.arange(80))
OPTIONS = runs.GeneratorOptions(
    steps=40,
    batch_size=16,
    width=8,
    grid=1,
    checkpoint_every=7,
    stopping=StoppingOptions(stop_early=2, watch_share=0.2, look_every=5),
)


@pytest.fixture(scope="module")
def params():
    return TARGET.init(jax.random.key(0))


def train(params, out, **changes):
    options = dataclasses.replace(OPTIONS, **changes)
    return runs.train_generator(TARGET, params, SOURCE, options, run=runs.Run(out))


@pytest.fixture
def falling(monkeypatch):
    """Held-out figures that rise twice and fall: the third and fourth look end the run."""
    look = training.EarlyStopping.look

    def by_a_table(self, state, step):
        self._measure = lambda params: {5: 0.1, 10: 0.3, 15: 0.2, 20: 0.1, 25: 0.3}[step]
        return look(self, state, step)

    monkeypatch.setattr(training.EarlyStopping, "look", by_a_table)


@pytest.mark.slow
def test_the_best_generator_is_kept_and_a_killed_run_keeps_the_same(params, tmp_path, falling, monkeypatch):
    whole = train(params, tmp_path / "whole")
    assert [look.step for look in whole.looks] == [5, 10, 15, 20]
    assert whole.fit.state.step == 20
    ten = train(
        params, tmp_path / "ten", steps=40, stopping=dataclasses.replace(OPTIONS.stopping, stop_early=3)
    )
    assert ten.fit.state.step > 20
    jax.tree.map(np.testing.assert_array_equal, ten.params, whole.params)
    saved = gencnp.load_generator(tmp_path / "whole" / runs.GENERATOR, TARGET, params=params)[1]
    jax.tree.map(np.testing.assert_array_equal, saved, whole.params)

    take = data.Batches.__next__

    def killed(self):
        if self._next == 18:
            raise KeyboardInterrupt
        return take(self)

    monkeypatch.setattr(data.Batches, "__next__", killed)
    with pytest.raises(KeyboardInterrupt):
        train(params, tmp_path / "killed")
    monkeypatch.setattr(data.Batches, "__next__", take)
    again = train(params, tmp_path / "killed")
    assert again.looks == whole.looks
    file = runs.GENERATOR
    assert (tmp_path / "killed" / file).read_bytes() == (tmp_path / "whole" / file).read_bytes()
    third = train(params, tmp_path / "killed")
    assert (third.fit.first_step, third.looks) == (20, whole.looks)
    jax.tree.map(np.testing.assert_array_equal, third.params, whole.params)


def test_held_out_images_are_not_learned_from(params, tmp_path, monkeypatch):
    seen = {"learned": [], "watched": []}
    make = data.train_batches

    def watch(source, **options):
        seen["learned"] = source.indices.tolist()
        return make(source, **options)

    passes = metrics.source_passes

    def look(session, source, **options):
        seen["watched"] = source.indices.tolist()
        return passes(session, source, **options)

    monkeypatch.setattr(data, "train_batches", watch)
    monkeypatch.setattr(metrics, "source_passes", look)
    trained = train(params, tmp_path, steps=6)
    assert sorted(seen["learned"] + seen["watched"]) == list(range(80))
    assert len(seen["watched"]) == 16
    assert [look.step for look in trained.looks] == [5, 6]
    assert all(0 <= look.value <= 1 for look in trained.looks)


def test_a_generator_begins_with_another_runs(params, tmp_path, capsys):
    off = StoppingOptions()
    first = train(params, tmp_path / "first", steps=3, stopping=off)
    second = train(
        params,
        tmp_path / "second",
        steps=1,
        learning_rate=0.0,
        weight_decay=0.0,
        stopping=off,
        init_generator=str(tmp_path / "first"),
    )
    jax.tree.map(np.testing.assert_array_equal, second.params, first.params)
    assert "arrays are those of" in capsys.readouterr().out
    train(params, tmp_path / "other", steps=2, stopping=off)
    with pytest.raises(InputError, match="init_generator_hash is"):
        train(
            params,
            tmp_path / "second",
            steps=1,
            learning_rate=0.0,
            weight_decay=0.0,
            stopping=off,
            init_generator=str(tmp_path / "other"),
        )


@pytest.mark.parametrize("options", [{"stop_early": -1}, {"look_every": 0}, {"watch_share": 1.0}])
def test_numbers_that_make_no_sense_are_refused(params, tmp_path, options):
    with pytest.raises(InputError, match="expected 0 or more, 1 or more, and a share between 0 and 1"):
        train(params, tmp_path, stopping=StoppingOptions(**options))


def test_there_has_to_be_a_generator_to_begin_with(params, tmp_path):
    with pytest.raises(InputError, match="there is no generator file"):
        train(params, tmp_path / "run", init_generator=str(tmp_path / "none.safetensors"))
