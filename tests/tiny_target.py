"""A target of three sites, small enough for slow NumPy loops, and explainers and data sets for it."""

import jax
import jax.numpy as jnp
import numpy as np

from jaxpath.devices import make_mesh
from jaxpath.gating import Taps, check_gates
from jaxpath.metrics import Method, Session
from jaxpath.pathways import flatten, top_fraction, unflatten
from jaxpath.types import Pathway, Preprocessing, Site, Target, TargetOutput

SITES = (Site("000.first", 6, (4, 4)), Site("001.second", 5, (2, 2)), Site("002.dense", 4, None))
NUM_CHANNELS = 6 + 5 + 4
NUM_UNITS = 4 * 4 * 6 + 2 * 2 * 5 + 4
NUM_CLASSES = 3


def tiny_target() -> Target:
    """Pointwise layer, 2 x 2 pool, pointwise layer, average, dense layer, classifier."""

    def apply(params, images, gates=None):
        check_gates(gates, SITES)
        taps = Taps(gates)
        x = taps("first", jax.nn.relu(images @ params["a"] + params["bias"][None, None, None]))
        x = x.reshape(x.shape[0], 2, 2, 2, 2, -1).mean(axis=(2, 4))
        x = taps("second", jax.nn.relu(x @ params["b"]))
        x = taps("dense", jax.nn.relu(x.mean(axis=(1, 2)) @ params["c"]))
        return TargetOutput(x @ params["readout"], taps.features)

    def init(key):
        shapes = {"a": (3, 6), "b": (6, 5), "c": (5, 4), "readout": (4, NUM_CLASSES)}
        keys = jax.random.split(key, len(shapes))
        params = {name: jax.random.normal(k, shapes[name]) for name, k in zip(shapes, keys, strict=True)}
        return {**params, "bias": jnp.full(6, 0.1)}

    def train_apply(params, images, *, key, axis_name=None):
        del key, axis_name
        return apply(params, images), params

    preprocessing = Preprocessing(None, (4, 4), (0.0,) * 3, (1.0,) * 3)
    return Target("tiny", SITES, NUM_CLASSES, preprocessing, apply=apply, init=init, train_apply=train_apply)


def tiny_params() -> dict[str, jax.Array]:
    """Parameters under which all three classes are predicted."""
    return tiny_target().init(jax.random.key(2))


def tiny_session(num_devices: int = 1, **changes) -> Session:
    """The tiny target on so many devices; batches of 8."""
    mesh = make_mesh(jax.devices()[:num_devices])
    return Session(tiny_target(), tiny_params(), mesh, 8)._replace(**changes)


def method_of(make_explainer, *, seed: int = 0) -> Method:
    """An explainer without parameters, as a method."""
    return Method(make_explainer.__name__, make_explainer, {}, seed)


def numpy_forward(params, image, masks=None, fills=None):
    """One image, in NumPy: logits [K], and the activations of the three sites after their gates.

    Masks and fills are one array per site: [C] each, or [H, W, C] for a mask of units.
    """
    params = {name: np.asarray(value, np.float64) for name, value in params.items()}
    masks = [np.ones(site.channels) for site in SITES] if masks is None else masks
    fills = [np.zeros(site.channels) for site in SITES] if fills is None else fills

    def gated(place, activation):
        return np.where(np.asarray(masks[place]) > 0, activation, fills[place])

    first = gated(0, np.maximum(image @ params["a"] + params["bias"], 0))
    pooled = np.array(
        [[first[2 * i : 2 * i + 2, 2 * j : 2 * j + 2].mean(axis=(0, 1)) for j in (0, 1)] for i in (0, 1)]
    )
    second = gated(1, np.maximum(pooled @ params["b"], 0))
    dense = gated(2, np.maximum(second.mean(axis=(0, 1)) @ params["c"], 0))
    return dense @ params["readout"], [first, second, dense]


def softmax(logits):
    return np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()


def split_channels(flat):
    """[N] -> one array per site."""
    return np.split(np.asarray(flat), [6, 11])


def split_units(flat):
    """[U] -> one array per site, in the shape of its activation."""
    parts = np.split(np.asarray(flat), [96, 116])
    return [
        part.reshape((*(site.spatial or ()), site.channels)) for part, site in zip(parts, SITES, strict=True)
    ]


def tiny_images(count: int) -> tuple[np.ndarray, np.ndarray]:
    """Images [count, 4, 4, 3] and labels, which the target gets right now and then."""
    rng = np.random.default_rng(5)
    images = rng.normal(size=(count, 1, 1, 3)) + 0.7 * rng.normal(size=(count, 4, 4, 3))
    return images.astype(np.float32), rng.integers(0, NUM_CLASSES, count)


def make_batches(images, labels, *, batch_size=8, unreadable=()):
    """Passes over a data set as the pipeline makes them: padded at the end, weight 0 where unreadable."""

    def one_pass():
        for start in range(0, len(images), batch_size):
            batch = {
                "image": np.full((batch_size, *images.shape[1:]), 1e3, images.dtype),
                "label": np.zeros(batch_size, np.int64),
                "index": np.full(batch_size, -1, np.int64),
                "weight": np.zeros(batch_size, np.float32),
            }
            for row, index in enumerate(range(start, min(start + batch_size, len(images)))):
                if index not in unreadable:
                    batch["image"][row], batch["label"][row] = images[index], labels[index]
                    batch["index"][row], batch["weight"][row] = index, 1
            yield batch

    return one_pass


def by_activation(_=None):
    """Scores each channel by its mean activation; opens the better half."""

    def explain(params, images, labels, *, key):
        features = tiny_target().apply(params, images).features
        scores = {name: f.mean(axis=(1, 2)) if f.ndim == 4 else f for name, f in features.items()}
        return Pathway(scores, unflatten(top_fraction(flatten(scores, SITES), 0.5), SITES))

    return explain


def by_unit_activation(_=None):
    """Scores each unit by its activation; opens the best 30 %."""

    def explain(params, images, labels, *, key):
        scores = tiny_target().apply(params, images).features
        return Pathway(scores, unflatten(top_fraction(flatten(scores, SITES), 0.3), SITES, like=scores))

    return explain


def by_chance(_=None):
    """Uniform scores, open above 0.5."""

    def explain(params, images, labels, *, key):
        flat = jax.random.uniform(key, (len(images), NUM_CHANNELS))
        scores = unflatten(flat, SITES)
        return Pathway(scores, unflatten((flat > 0.5).astype(jnp.float32), SITES))

    return explain
