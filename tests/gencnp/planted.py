"""A target whose classes depend on known, disjoint channels: the truth that a pathway must recover."""

import jax.numpy as jnp
import numpy as np

from jaxpath.gating import Taps, check_gates
from jaxpath.types import Preprocessing, Site, Target, TargetOutput

NUM_CLASSES = 4
CHANNELS = 20  # two for each class, twelve that carry no evidence
SITES = (Site("000.shallow", CHANNELS, (4, 4)), Site("001.deep", CHANNELS, (4, 4)))


def evidence_channels(site: int) -> np.ndarray:
    """[K, C]: the channels on which each class depends; the two sites use other ones."""
    truth = np.zeros((NUM_CLASSES, CHANNELS), np.float32)
    for label in range(NUM_CLASSES):
        first = (2 * label + 5 * site) % CHANNELS
        truth[label, [first, first + 1]] = 1
    return truth


def planted_target() -> Target:
    """Shallow channels are the image's own; deep evidence channels copy their class's shallow ones."""
    shallow, deep = evidence_channels(0), evidence_channels(1)
    # Deep idle channels copy an idle shallow one, so that they are alive but carry nothing.
    mixing = shallow.T @ deep / 2  # [C, C]
    idle_in, idle_out = np.flatnonzero(shallow.sum(0) == 0), np.flatnonzero(deep.sum(0) == 0)
    mixing[idle_in, idle_out] = 1

    def apply(params, images, gates=None):
        check_gates(gates, SITES)
        taps = Taps(gates)
        x = taps("shallow", jnp.maximum(images, 0))
        x = taps("deep", jnp.maximum(x @ params["mixing"], 0))
        logits = x.mean(axis=(1, 2)) @ params["readout"]
        return TargetOutput(logits, taps.features)

    def init(key):
        del key
        return {"mixing": jnp.asarray(mixing), "readout": jnp.asarray(deep.T)}

    def train_apply(params, images, *, key, axis_name=None):
        del key, axis_name
        return apply(params, images), params

    preprocessing = Preprocessing(None, (4, 4), (0.0,) * CHANNELS, (1.0,) * CHANNELS)
    return Target("planted", SITES, NUM_CLASSES, preprocessing, init, apply, train_apply)


def planted_images(
    rng: np.random.Generator, count: int, labels: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Images whose class's evidence channels are bright, among idle channels that are just as bright."""
    if labels is None:
        labels = rng.integers(0, NUM_CLASSES, count).astype(np.int32)
    shallow = evidence_channels(0)
    idle = shallow.sum(axis=0) == 0
    strength = 2 * shallow[labels] + 2 * idle[None, :]
    noise = rng.uniform(0.5, 1.5, (count, 4, 4, CHANNELS))
    return (strength[:, None, None, :] * noise).astype(np.float32), labels


def truth(labels: np.ndarray) -> np.ndarray:
    """The true pathways [B, 2 C] of images of these classes."""
    return np.concatenate([evidence_channels(0)[labels], evidence_channels(1)[labels]], axis=1)
