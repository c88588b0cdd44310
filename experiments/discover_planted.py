"""A network that is known to detect known concepts: does dissection find them?"""

import jax
import jax.numpy as jnp
import numpy as np

from jaxpath import data, devices, discover, targets
from jaxpath.types import Preprocessing

_CONCEPTS, _UNITS, _IMAGES, _SIDE, _WIDTH = 30, 200, 3000, 8, 48


def planted_top1(seed: int) -> float:
    """Share of 200 detectors of 30 patterns that soft WPMI names rightly, of 3,000 noisy pictures of them."""
    rng = np.random.default_rng(seed)
    patterns = np.linalg.qr(rng.normal(size=(_SIDE**2, _CONCEPTS)))[0].T
    meant = np.arange(_UNITS) % _CONCEPTS
    shown = rng.integers(0, _CONCEPTS, _IMAGES)
    pixels = 128 + 300 * patterns[shown] + 10 * rng.normal(size=(_IMAGES, _SIDE**2))
    images = pixels.clip(0, 255).astype(np.uint8).reshape(_IMAGES, _SIDE, _SIDE, 1)
    # A joint space of its own, in which images lie near their concept's text.
    texts = rng.normal(size=(_CONCEPTS, _WIDTH))
    texts /= np.linalg.norm(texts, axis=1, keepdims=True)
    seen = texts[shown] + 0.1 * rng.normal(size=(_IMAGES, _WIDTH))
    concepts = tuple(f"pattern {c}" for c in range(_CONCEPTS))

    def network(params, x):
        h = jax.nn.relu((x - 0.5).reshape(len(x), -1) @ params["detectors"] + params["noise"])
        return h @ params["readout"]

    params = {
        "detectors": (patterns[meant] + 0.03 * rng.normal(size=(_UNITS, _SIDE**2))).T.astype(np.float32),
        "noise": 0.05 * rng.normal(size=(1, _UNITS)).astype(np.float32),
        "readout": rng.normal(size=(_UNITS, _CONCEPTS)).astype(np.float32),
    }
    target = targets.adapt_function(
        network,
        init=lambda key: jax.tree.map(jnp.asarray, params),
        name="planted",
        preprocessing=Preprocessing(None, (_SIDE, _SIDE), mean=(0.0,), std=(1.0,)),
    )
    mesh = devices.make_mesh()
    source = data.ArraySource(images, shown)
    size = 50 * mesh.size

    def batches():
        return data.eval_batches(source, batch_size=size, preprocessing=target.preprocessing)

    activity = discover.record_activity(target, params, batches, mesh=mesh)
    names = discover.dissect(activity, discover.Embeddings(seen, texts, concepts))
    return float((names[target.sites[0].name].index == meant).mean())
