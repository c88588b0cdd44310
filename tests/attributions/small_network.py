"""A classifier that NumPy can follow: pointwise layer, ReLU, average over space, dense layer, classifier."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxpath.gating import Taps, check_gates
from jaxpath.types import Preprocessing, Site, Target, TargetOutput

SITES = (Site("000.relu", 4, (2, 3)), Site("001.dense", 5, None))
NUM_CLASSES = 3


def small_target() -> Target:
    def apply(params, images, gates=None):
        check_gates(gates, SITES)
        taps = Taps(gates)
        x = taps("relu", jax.nn.relu(images @ params["a"] + params["bias"][None, None, None]))
        x = taps("dense", jax.nn.relu(x.mean(axis=(1, 2)) @ params["b"]))
        return TargetOutput(x @ params["c"], taps.features)

    def init(key):
        keys = jax.random.split(key, 3)
        shapes = {"a": (2, 4), "b": (4, 5), "c": (5, NUM_CLASSES)}
        params = {n: jax.random.normal(k, shapes[n]) for n, k in zip(shapes, keys, strict=True)}
        return {**params, "bias": jnp.zeros(4)}

    def train_apply(params, images, *, key, axis_name=None):
        del key, axis_name
        return apply(params, images), params

    preprocessing = Preprocessing(None, (2, 3), (0.5, 0.4), (0.2, 0.25))
    return Target("small", SITES, NUM_CLASSES, preprocessing, init, apply, train_apply)


def small_params(bias=(0.0, 0.0, 0.0, 0.0)):
    return {**small_target().init(jax.random.key(4)), "bias": jnp.array(bias)}


def small_images() -> np.ndarray:
    """Normalised, between the values of black and white."""
    return np.random.default_rng(3).uniform(-1.6, 2.4, (2, 2, 3, 2)).astype(np.float32)


def forward(params, image):
    """One image in float64: what every layer makes of it, z before and a after its ReLU."""
    a, b, c, bias = (np.asarray(params[name], np.float64) for name in ("a", "b", "c", "bias"))
    z1 = image @ a + bias
    a1 = np.maximum(z1, 0)
    z2 = a1.mean(axis=(0, 1)) @ b
    a2 = np.maximum(z2, 0)
    return z1, a1, z2, a2, a2 @ c
