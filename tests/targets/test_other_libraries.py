"""Models of Keras, Equinox and Haiku, where these are installed: their own logits, and the sites by hand."""

import os

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxpath import Preprocessing, targets
from jaxpath.types import InputError

PREPROCESSING = Preprocessing(None, (20, 32), (0.5,) * 3, (0.25,) * 3)
IMAGES = np.random.default_rng(0).normal(size=(2, 20, 32, 3)).astype(np.float32)


@pytest.fixture(autouse=True)
def ranks_of_others():
    """Other libraries let JAX promote ranks."""
    with jax.numpy_rank_promotion("allow"):
        yield


def library(name):
    return pytest.importorskip(name, reason=f"{name} is no requirement of jaxpath")


def test_a_library_that_is_missing_is_said(monkeypatch):
    import importlib

    def refuse(name):
        raise ImportError(name)

    monkeypatch.setattr(importlib, "import_module", refuse)
    with pytest.raises(InputError, match=r"haiku, which is not installed; pip install dm-haiku$"):
        targets.adapt_haiku(None, name="h", preprocessing=PREPROCESSING)


def shapes_of(target):
    return [(site.channels, site.spatial) for site in target.sites]


def test_an_equinox_module_has_its_channels():
    eqx = library("equinox")

    class CNN(eqx.Module):
        a: eqx.nn.Conv2d
        b: eqx.nn.Conv2d
        norm: eqx.nn.GroupNorm
        head: eqx.nn.Linear

        def __init__(self, key):
            k = jax.random.split(key, 3)
            self.a = eqx.nn.Conv2d(3, 8, 3, padding=1, key=k[0])
            self.b = eqx.nn.Conv2d(8, 24, 3, 2, 1, key=k[1])
            self.norm = eqx.nn.GroupNorm(4, 24)
            self.head = eqx.nn.Linear(24, 10, key=k[2])

        def __call__(self, x):
            x = jax.nn.relu(self.norm(self.b(jax.nn.relu(self.a(x)))))
            return self.head(x.mean((1, 2)))

    model = CNN(jax.random.key(0))
    target = targets.adapt_equinox(model, name="eqx", preprocessing=PREPROCESSING)
    assert shapes_of(target) == [(8, (20, 32)), (24, (10, 16))]
    params = target.init(jax.random.key(0))
    expected = jax.vmap(model)(IMAGES.transpose(0, 3, 1, 2))
    np.testing.assert_allclose(target.apply(params, IMAGES).logits, expected, rtol=1e-4, atol=1e-5)
    first = jax.nn.relu(jax.vmap(model.a)(IMAGES.transpose(0, 3, 1, 2)))
    feature = target.apply(params, IMAGES).features["000.relu"]
    np.testing.assert_allclose(feature, first.transpose(0, 2, 3, 1), rtol=1e-4, atol=1e-5)
    assert targets.check(target, params, IMAGES).failures() == [
        "init draws: the same for any key: sanity checks need reinitialise='permute'"
    ]


def test_an_equinox_module_with_state():
    eqx = library("equinox")

    class CNN(eqx.Module):
        conv: eqx.nn.Conv2d
        norm: eqx.nn.BatchNorm
        drop: eqx.nn.Dropout
        head: eqx.nn.Linear

        def __init__(self, key):
            k = jax.random.split(key, 2)
            self.conv = eqx.nn.Conv2d(3, 8, 3, padding=1, key=k[0])
            self.norm = eqx.nn.BatchNorm(8, axis_name="batch", mode="ema")
            self.drop = eqx.nn.Dropout(0.5)
            self.head = eqx.nn.Linear(8, 10, key=k[1])

        def __call__(self, x, state):
            x, state = self.norm(self.conv(x), state)
            return self.head(self.drop(jax.nn.relu(x)).mean((1, 2))), state

    model, state = eqx.nn.make_with_state(CNN)(jax.random.key(0))
    target = targets.adapt_equinox(model, state=state, name="eqx", preprocessing=PREPROCESSING)
    assert shapes_of(target) == [(8, (20, 32))]
    logits = target.apply(target.init(jax.random.key(0)), IMAGES).logits
    assert np.isfinite(logits).all() and logits.shape == (2, 10)


def test_a_haiku_network_with_state():
    hk = library("haiku")

    def network(x, is_training):
        return hk.nets.ResNet18(10)(x, is_training=is_training)

    made = hk.transform_with_state(network)
    target = targets.adapt_haiku(made, name="hk", preprocessing=PREPROCESSING, is_training=False)
    assert len(target.sites) == 17
    params = target.init(jax.random.key(0))
    expected, _ = made.apply(params["params"], params["state"], None, IMAGES, is_training=False)
    np.testing.assert_allclose(target.apply(params, IMAGES).logits, expected, rtol=1e-3, atol=1e-4)
    with pytest.raises(InputError, match=r"expected what hk.transform"):
        targets.adapt_haiku(network, name="hk", preprocessing=PREPROCESSING)


KERAS = {"VGG16": 15, "ResNet50": 49, "ConvNeXtTiny": 18, "MobileNetV3Small": 33, "EfficientNetB0": 49}
"""Activations counted by hand in the papers' tables: of MobileNetV3, 1 + 10 + 11 + 9 + 2."""


@pytest.mark.parametrize("name", KERAS)
def test_published_keras_models_have_the_sites_that_a_hand_counts(name):
    os.environ.setdefault("KERAS_BACKEND", "jax")
    keras = library("keras")
    model = getattr(keras.applications, name)(weights=None, classifier_activation=None)
    preprocessing = PREPROCESSING._replace(crop=(224, 224))
    target = targets.adapt_keras(model, name=name, preprocessing=preprocessing)
    assert len(target.sites) == KERAS[name] and target.num_classes == 1000


def test_a_keras_model():
    os.environ.setdefault("KERAS_BACKEND", "jax")
    keras = library("keras")
    layers = keras.layers
    model = keras.Sequential(
        [
            layers.Input((20, 32, 3)),
            layers.Conv2D(8, 3, padding="same", use_bias=False),
            layers.BatchNormalization(),
            layers.ReLU(max_value=6),
            layers.Conv2D(16, 3, strides=2, padding="same"),
            layers.PReLU(shared_axes=[1, 2]),
            layers.GlobalAveragePooling2D(),
            layers.Dropout(0.5),
            layers.Dense(10),
        ]
    )
    target = targets.adapt_keras(model, name="keras", preprocessing=PREPROCESSING)
    assert shapes_of(target) == [(8, (20, 32)), (16, (10, 16))]
    assert [site.name.rpartition(".")[2] for site in target.sites] == ["relu6", "prelu"]
    params = target.init(jax.random.key(0))
    expected = model(IMAGES, training=False)
    np.testing.assert_allclose(target.apply(params, IMAGES).logits, expected, rtol=1e-3, atol=1e-4)
    ended = keras.Sequential([model, layers.Softmax()])
    ended.build((None, 20, 32, 3))
    with pytest.raises(InputError, match=r"rows add up to 1; .* classifier_activation=None"):
        targets.adapt_keras(ended, name="keras", preprocessing=PREPROCESSING)
    assert jnp.isfinite(expected).all()
