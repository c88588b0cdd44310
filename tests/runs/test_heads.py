"""Heads on trained trunks: what stays, what is learned, and that features once per image change nothing."""

import dataclasses

import jax
import numpy as np
import pytest
from flax.traverse_util import flatten_dict

from jaxpath import data, runs, targets, training
from jaxpath.runs import features
from jaxpath.runs.start_options import StartOptions
from jaxpath.types import InputError

SOURCE = data.Subset(data.digits("train"), np.arange(60))
OPTIONS = runs.ClassifierOptions(train_steps=8, train_batch_size=16, train_augment="none")
TARGET = targets.resnet8(num_classes=10, image_size=8, channels=1)


@pytest.fixture(scope="module")
def trunk(tmp_path_factory):
    """Weights of a classifier of seven classes, with statistics of its own."""
    target = targets.resnet8(num_classes=7, image_size=8, channels=1)
    params = target.init(jax.random.key(3))
    _, params = target.train_apply(params, data.digits("train").images[:64], key=jax.random.key(0))
    path = tmp_path_factory.mktemp("trunk") / "trunk.safetensors"
    targets.save_weights(target, params, path)
    return path


def train(out, trunk, *, freeze="trunk", target=TARGET, trunk_learning_rate=None, views=None, **changes):
    start = StartOptions(
        init_from=str(trunk), freeze=freeze, trunk_learning_rate=trunk_learning_rate, views=views
    )
    options = dataclasses.replace(OPTIONS, start=start, **changes)
    return runs.train_classifier(target, SOURCE, options, run=runs.Run(out))


def changed(params, initial):
    """Places whose arrays differ."""
    before, after = flatten_dict(initial), flatten_dict(params)
    return {place for place in before if np.any(np.asarray(before[place]) != np.asarray(after[place]))}


def initial_params(trunk, seed=0):
    return targets.load_initial(TARGET, trunk, drawn=TARGET.init(jax.random.key(seed))).params


@pytest.mark.parametrize("augment", ["none", "shift"])
def test_a_frozen_trunk_keeps_every_bit_and_its_statistics(tmp_path, trunk, augment, capsys):
    params = train(tmp_path, trunk, train_augment=augment)
    head = {("params", "linear", "kernel"), ("params", "linear", "bias")}
    assert changed(params, initial_params(trunk)) == head
    # With random views the trunk is run at each step.
    assert bool(list(tmp_path.glob("*.npz"))) == (augment == "none")
    assert (
        "drawn anew, as they have another shape in it: linear.bias, linear.weight" in capsys.readouterr().out
    )
    saved = targets.load_weights(TARGET, tmp_path / runs.WEIGHTS)
    jax.tree.map(np.testing.assert_array_equal, saved, params)
    described = targets.describe_weights(tmp_path / runs.WEIGHTS)
    assert described.class_names == tuple("0123456789") and described.preprocessing == TARGET.preprocessing


def test_a_head_is_what_logistic_regression_by_sgd_gives(tmp_path, trunk):
    rate, decay = 0.1, 0.01
    params = train(
        tmp_path, trunk, optimizer="sgd", train_learning_rate=rate, train_weight_decay=decay, train_steps=5
    )
    initial = jax.device_get(initial_params(trunk))
    dense = initial["params"]["linear"]
    weight, bias = dense["kernel"].astype(np.float64), dense["bias"].astype(np.float64)
    images = np.stack([SOURCE[i]["image"] for i in range(60)])
    last = TARGET.apply(initial, images).features[TARGET.sites[-1].name]
    features = np.asarray(last, np.float64).mean(axis=(1, 2))
    labels = np.array([SOURCE[i]["label"] for i in range(60)])
    momentum = [np.zeros_like(weight), np.zeros_like(bias)]
    schedule = runs.warmup_cosine(rate, 5)
    batches = data.ArrayBatches({"row": np.arange(60)}, num_views=1, batch_size=16, seed=0)
    for step in range(5):
        rows = next(batches)["row"]
        x = features[rows]
        odds = np.exp(x @ weight + bias)
        difference = odds / odds.sum(axis=1, keepdims=True) - np.eye(10)[labels[rows]]
        gradients = [x.T @ difference / 16 + decay * weight, difference.mean(axis=0) + decay * bias]
        # Nesterov: m = g + 0.9 m, update g + 0.9 m.
        momentum = [g + 0.9 * m for g, m in zip(gradients, momentum, strict=True)]
        updates = [g + 0.9 * m for g, m in zip(gradients, momentum, strict=True)]
        weight, bias = weight - float(schedule(step)) * updates[0], bias - float(schedule(step)) * updates[1]
    np.testing.assert_allclose(params["params"]["linear"]["kernel"], weight, rtol=1e-3, atol=1e-5)
    np.testing.assert_allclose(params["params"]["linear"]["bias"], bias, rtol=1e-3, atol=1e-5)


def test_features_once_per_image_change_nothing(tmp_path, trunk, monkeypatch):
    cached = train(tmp_path / "cached", trunk)
    monkeypatch.setattr(StartOptions, "num_views", lambda self, augment: None)
    at_each_step = train(tmp_path / "run", trunk)
    for ours, expected in zip(jax.tree.leaves(cached), jax.tree.leaves(at_each_step), strict=True):
        np.testing.assert_allclose(ours, expected, rtol=1e-4, atol=1e-6)


def test_up_to_a_site_the_rest_is_trained_with_its_statistics(tmp_path, trunk):
    params = train(tmp_path, trunk, freeze="layer2.0.relu2", train_augment="shift")
    places = {place[:2] for place in changed(params, initial_params(trunk))}
    assert places == {("params", "layer3_0"), ("params", "linear"), ("batch_stats", "layer3_0")}


def test_the_optimizer_knows_nothing_of_what_is_frozen(tmp_path, trunk, monkeypatch):
    states = []

    def stop(state, *args, **kwargs):
        states.append(state)
        raise SystemExit

    monkeypatch.setattr(training, "fit", stop)
    with pytest.raises(SystemExit):
        train(tmp_path, trunk)
    # AdamW's two moments of the head's kernel and bias, and two counters.
    shapes = sorted(leaf.shape for leaf in jax.tree.leaves(states[0].opt_state))
    assert shapes == [(), (), (10,), (10,), (64, 10), (64, 10)]
    assert jax.tree.leaves(states[0].extra) == []


def test_trunk_and_head_have_learning_rates_of_their_own(tmp_path, trunk):
    still = train(tmp_path / "still", trunk, freeze="none", trunk_learning_rate=0.0, train_steps=3)
    moved = {place for place in changed(still, initial_params(trunk)) if place[0] == "params"}
    assert moved == {("params", "linear", "kernel"), ("params", "linear", "bias")}
    slow = train(tmp_path / "slow", trunk, freeze="none", trunk_learning_rate=1e-4, train_steps=3)
    fast = train(tmp_path / "fast", trunk, freeze="none", trunk_learning_rate=1e-3, train_steps=3)
    initial = initial_params(trunk)["params"]["conv1"]["kernel"]
    ratio = [np.abs(p["params"]["conv1"]["kernel"] - initial).mean() for p in (slow, fast)]
    # Adam's steps are the learning rate in size.
    assert 8 < ratio[1] / ratio[0] < 12


def test_a_killed_run_ends_with_the_same_bits(tmp_path, trunk, monkeypatch):
    options = {"views": 2, "train_augment": "shift", "train_steps": 130}
    whole = train(tmp_path / "whole", trunk, **options)
    take = data.ArrayBatches.__next__

    def killed_at_120(self):
        if self._next == 120:
            raise KeyboardInterrupt
        return take(self)

    monkeypatch.setattr(data.ArrayBatches, "__next__", killed_at_120)
    with pytest.raises(KeyboardInterrupt):
        train(tmp_path / "killed", trunk, **options)
    monkeypatch.setattr(data.ArrayBatches, "__next__", take)
    # What was computed once is not computed again.
    monkeypatch.setattr(features.metrics, "per_batch", lambda *args, **kwargs: pytest.fail("computed again"))
    again = train(tmp_path / "killed", trunk, **options)
    jax.tree.map(np.testing.assert_array_equal, again, whole)
    assert (tmp_path / "killed" / runs.WEIGHTS).read_bytes() == (
        tmp_path / "whole" / runs.WEIGHTS
    ).read_bytes()


def test_views_of_an_image_are_what_the_augmentation_draws(tmp_path, trunk):
    train(tmp_path, trunk, views=3, train_augment="shift")
    (path,) = tmp_path.glob("*.npz")
    with np.load(path) as arrays:
        features, labels = arrays["read_0"].reshape(3, 60, 64), arrays["label"].reshape(3, 60)
    np.testing.assert_array_equal(labels, np.tile([SOURCE[i]["label"] for i in range(60)], (3, 1)))
    # 9 shifts of one pixel: of three views some differ for nearly every image.
    assert (features.std(axis=0).max(axis=1) > 0).mean() > 0.8


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"freeze": "trunk"}, "--freeze is trunk, and without --init-from"),
        ({"init_from": "w", "views": 2}, "--views has no effect where nothing is frozen"),
        ({"init_from": "w", "freeze": "trunk", "views": 0}, "--views is 0; expected 1 or more"),
        (
            {"init_from": "w", "freeze": "trunk", "trunk_learning_rate": 0.1},
            "expected 0 or more, and a trunk",
        ),
        ({"init_from": "w", "trunk_learning_rate": -1.0}, "expected 0 or more, and a trunk"),
    ],
)
def test_options_that_contradict_each_other_are_refused(tmp_path, options, message):
    with pytest.raises(InputError, match=message):
        runs.train_classifier(
            TARGET,
            SOURCE,
            dataclasses.replace(OPTIONS, start=StartOptions(**options)),
            run=runs.Run(tmp_path),
        )


def test_several_views_of_pictures_that_are_not_augmented_are_refused(tmp_path, trunk):
    with pytest.raises(InputError, match="--views is 2, but without augmentation"):
        train(tmp_path, trunk, views=2)


def test_features_that_would_not_fit_are_refused_before_they_are_computed(tmp_path, trunk, monkeypatch):
    monkeypatch.setattr(features, "_MOST_BYTES", 60 * 64 * 4 - 1)
    with pytest.raises(InputError, match="resnet8 reads of 60 views of images takes"):
        train(tmp_path, trunk)


def test_other_weights_to_begin_with_are_another_run(tmp_path, trunk):
    train(tmp_path / "run", trunk)
    params = TARGET.init(jax.random.key(9))
    targets.save_weights(TARGET, params, tmp_path / "other.safetensors")
    (tmp_path / "copy.safetensors").write_bytes(trunk.read_bytes())
    with pytest.raises(InputError, match="init_from_hash is"):
        train(tmp_path / "run", tmp_path / "other.safetensors")
