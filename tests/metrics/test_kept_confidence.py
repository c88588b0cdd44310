"""The confidence that images keep at small densities: image by image in NumPy."""

import numpy as np
import pytest
import tiny_target as tiny
from test_references import COUNT, KEPT, data, references, slow_fill

from jaxpath import metrics
from jaxpath.fills import ABLATIONS
from jaxpath.types import Pathway

DENSITIES = (0.2, 0.6)


def weighted(weights):
    """Scores each channel by a weight of its own."""

    def explain(params, images, labels, *, key):
        from jaxpath.pathways import unflatten

        flat = weights[None] * np.ones((len(images), 1), np.float32)
        return Pathway(unflatten(flat, tiny.SITES), unflatten(flat > 0, tiny.SITES))

    return explain


@pytest.mark.parametrize("ablation", ABLATIONS)
@pytest.mark.parametrize("num_devices", [1, 8])
def test_it_is_the_mean_probability_over_densities_and_images(num_devices, ablation):
    images, given = tiny.tiny_images(COUNT)[0], references()
    session = tiny.tiny_session(num_devices, fill=given.fill(ablation))
    measure = metrics.make_kept_confidence(session, weighted, data(), densities=DENSITIES)
    weights = np.random.default_rng(2).permutation(tiny.NUM_CHANNELS).astype(np.float32)
    order = (-weights).argsort().argsort()
    kept = []
    for i in KEPT:
        clean, _ = tiny.numpy_forward(tiny.tiny_params(), images[i])
        fills = slow_fill(ablation, given, clean.argmax(), i)
        for density in DENSITIES:
            mask = order < round(density * tiny.NUM_CHANNELS)
            logits, _ = tiny.numpy_forward(tiny.tiny_params(), images[i], tiny.split_channels(mask), fills)
            kept.append(tiny.softmax(logits)[clean.argmax()])
    assert measure(weights) == pytest.approx(np.mean(kept), rel=1e-5)
    # Other parameters are other scores in the same program.
    assert measure(-weights) != pytest.approx(np.mean(kept), rel=1e-3)
