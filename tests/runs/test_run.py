"""A run's folder: what it holds, and what it refuses."""

import dataclasses
import time

import jax
import numpy as np
import pytest

from jaxpath import data, runs, targets
from jaxpath.runs.run import as_config
from jaxpath.types import InputError

OPTIONS = runs.GeneratorOptions(steps=1, batch_size=8, width=8, grid=1)


@pytest.fixture(scope="module")
def target():
    return targets.resnet8(image_size=8, channels=1)


def train(target, params, out):
    return runs.train_generator(target, params, data.digits("train"), OPTIONS, run=runs.Run(out))


def test_a_folder_is_continued_for_its_classifier_and_refused_for_another_one(target, tmp_path):
    folder = str(tmp_path / "run")
    first = train(target, target.init(jax.random.key(0)), folder)
    assert first.fit.first_step == 0
    assert train(target, target.init(jax.random.key(0)), folder).fit.first_step == OPTIONS.steps
    kept = (tmp_path / "run" / runs.GENERATOR).read_bytes()
    with pytest.raises(InputError, match="params"):
        train(target, target.init(jax.random.key(1)), folder)
    assert (tmp_path / "run" / runs.GENERATOR).read_bytes() == kept


def test_taylor_scores_close_channels_to_the_training_images_means(target, tmp_path):
    params = target.init(jax.random.key(0))
    source = data.Subset(data.digits("train"), np.arange(60))
    still = {"learning_rate": 0.0, "weight_decay": 0.0}
    options = dataclasses.replace(OPTIONS, taylor=True, **still)
    runs.train_generator(target, params, source, options, run=runs.Run(tmp_path))
    trained = runs.load_generator(tmp_path, target, params=params)
    images = np.stack([source[i]["image"] for i in range(60)])
    features = jax.jit(target.apply)(params, images).features
    expected = [features[site.name].mean(axis=(0, 1, 2)) for site in target.sites]
    result = trained.params["params"]["taylor_mean"]
    np.testing.assert_allclose(result, np.concatenate(expected), rtol=1e-4, atol=1e-6)
    explain = jax.jit(trained.method(target, density=0.5).make(trained.params))
    pathway = explain(params, images[:3], np.zeros(3, np.int32), key=jax.random.key(0))
    kept = np.concatenate([pathway.masks[site.name] for site in target.sites], axis=1)
    np.testing.assert_array_equal(kept.sum(axis=1), 120)


def test_how_a_run_is_scored_may_change_when_it_is_continued():
    def config(**score):
        options = runs.lap.PlugInRun(data="digits", weights="w", score=runs.lap.ScoreOptions(**score))
        return as_config(options)

    assert config(curve_images=50) == config(curve_images=20, explainers=("gradcam",))
    other = runs.lap.PlugInRun(data="digits", weights="w", lap=runs.lap.PlugInOptions(head_epochs=1))
    assert as_config(other) != config()


def test_seconds_are_those_since_the_run_began():
    assert 100 <= runs.Run("folder", began=time.perf_counter() - 100).seconds < 160
