"""A tiny network, its data and its objective: small, but with every kind of state a run can have."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

from jaxpath.devices import AXIS
from jaxpath.training import create_state, make_train_step

BATCH = 16


class Batches:
    """Endless batches whose contents depend on their number only."""

    def __init__(self, size=BATCH, poison=None):
        self._size, self._poison, self._next = size, poison, 0

    def __iter__(self):
        return self

    def __next__(self):
        rng = np.random.default_rng(self._next)
        image = rng.integers(0, 256, (self._size, 2, 2, 1), dtype=np.uint8)
        self._next += 1
        weight = np.ones(self._size, np.float32)
        if self._next == self._poison:
            weight[0] = np.nan
        return {
            "image": image,
            "label": (image.sum(axis=(1, 2, 3)) > 510).astype(np.int32),
            "weight": weight,
            "index": np.arange(self._size, dtype=np.int64),
        }

    def get_state(self):
        return {"next": self._next}

    def set_state(self, state):
        self._next = state["next"]


def objective(params, extra, frozen, batch, keys):
    """Cross-entropy under dropout, plus a penalty whose weight is a dual variable."""
    x = (batch["image"].reshape(batch["image"].shape[0], -1) / 255) @ frozen["projection"]
    hidden = jnp.tanh(x @ params["w1"] + params["b1"][None])
    keep = jax.vmap(lambda key: jax.random.bernoulli(key, 0.5, hidden.shape[1:]))(keys)
    logits = jnp.where(keep, hidden, 0) @ params["w2"]
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, batch["label"])
    size = jnp.abs(hidden).mean(axis=1)
    mean_size = lax.pmean(lax.stop_gradient(size).mean(), AXIS)
    dual = jnp.clip(extra["dual"] * jnp.exp(0.5 * (mean_size - 0.2)), 0.01, 10)
    metrics = {"size": size, "dual": dual, "correct": logits.argmax(1) == batch["label"]}
    return losses + extra["dual"] * size, ({"dual": dual}, metrics)


def frozen():
    return {"projection": jax.random.normal(jax.random.key(7), (4, 6))}


def optimizer():
    return optax.adamw(1e-2)


def state(key):
    k1, k2, run = jax.random.split(key, 3)
    params = {
        "w1": jax.random.normal(k1, (6, 8)) / 2,
        "b1": jnp.zeros(8),
        "w2": jax.random.normal(k2, (8, 2)) / 2,
    }
    return create_state(params, optimizer(), key=run, extra={"dual": jnp.float32(0.5)})


@functools.cache  # every run of a test session shares the compiled step
def step(mesh):
    return make_train_step(objective, optimizer(), mesh)
