"""A network that is known to detect known concepts: does dissection find them?"""

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxpath import data, discover, metrics, targets
from jaxpath.runs.study import open_session
from jaxpath.types import Params, Preprocessing, Target

_CONCEPTS, _UNITS, _IMAGES, _SIDE, _WIDTH = 30, 200, 3000, 8, 48
_AT_ONCE = 50
"""Images per device."""


def planted_top1(seed: int = 0) -> float:
    """Share of 200 detectors of 30 patterns that soft WPMI names rightly, of 3,000 noisy pictures of them.

    Args:
        seed: Of patterns, pictures, detectors and embeddings.
    """
    rng = np.random.default_rng(seed)
    patterns = np.linalg.qr(rng.normal(size=(_SIDE**2, _CONCEPTS)))[0].T
    detected = np.arange(_UNITS) % _CONCEPTS
    shown = rng.integers(0, _CONCEPTS, _IMAGES)
    pixels = 128 + 300 * patterns[shown] + 10 * rng.normal(size=(_IMAGES, _SIDE**2))
    images = pixels.clip(0, 255).astype(np.uint8).reshape(_IMAGES, _SIDE, _SIDE, 1)
    # A joint space of its own, in which images lie near their concept's text.
    texts = rng.normal(size=(_CONCEPTS, _WIDTH))
    texts /= np.linalg.norm(texts, axis=1, keepdims=True)
    embedded = texts[shown] + 0.1 * rng.normal(size=(_IMAGES, _WIDTH))
    concepts = tuple(f"pattern {concept}" for concept in range(_CONCEPTS))
    detectors = patterns[detected] + 0.03 * rng.normal(size=(_UNITS, _SIDE**2))
    params = {
        "detectors": detectors.T.astype(np.float32),
        "noise": 0.05 * rng.normal(size=(1, _UNITS)).astype(np.float32),
        "readout": rng.normal(size=(_UNITS, _CONCEPTS)).astype(np.float32),
    }
    target = _make_detectors(params)
    session = open_session(target, params, batch_size=_AT_ONCE * jax.device_count())
    passes = metrics.source_passes(session, data.ArraySource(images, shown))
    activity = discover.record_activity(session, passes)
    names = discover.dissect(activity, discover.Embeddings(embedded, texts, concepts))
    return float((names[target.sites[0].name].index == detected).mean())


def _make_detectors(params: Params) -> Target:
    """One layer of rectified detectors and a read-out."""

    def network(params: Any, images: jax.Array) -> jax.Array:
        flat = (images - 0.5).reshape(len(images), -1)
        hidden = jax.nn.relu(flat @ params["detectors"] + params["noise"])
        return hidden @ params["readout"]

    return targets.adapt_function(
        network,
        init=lambda key: jax.tree.map(jnp.asarray, params),
        name="planted",
        preprocessing=Preprocessing(None, (_SIDE, _SIDE), mean=(0.0,), std=(1.0,)),
    )
