"""Attributions of a small network against captum's, zennit's and PAIR's; see make_attribution_fixtures.py."""

from functools import cache
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import lax

from jaxpath import attributions
from jaxpath.gating import Taps
from jaxpath.layers import max_pool
from jaxpath.types import Preprocessing, Site, Target, TargetOutput

FILE = Path(__file__).resolve().parents[1] / "fixtures" / "attributions.npz"
LABELS = jnp.array([0, 2])
SITES = (Site("000.first", 4, (6, 12)), Site("001.second", 6, (3, 6)), Site("002.dense", 5, None))
# Black and white are the bounds that the box rule was given: -1.8 and 2.2.
PREPROCESSING = Preprocessing(None, (6, 12), (0.45,) * 3, (0.25,) * 3)


@cache
def fixture():
    return dict(np.load(FILE))


def network(params, images, gates=None):
    taps = Taps(gates)

    def convolve(x, layer):
        kernel = params[f"{layer}.weight"].transpose(2, 3, 1, 0)
        numbers = ("NHWC", "HWIO", "NHWC")
        x = lax.conv_general_dilated(x, kernel, (1, 1), ((1, 1), (1, 1)), dimension_numbers=numbers)
        return x + params[f"{layer}.bias"][None, None, None]

    x = taps("first", jax.nn.relu(convolve(images, 0)))
    x = taps("second", jax.nn.relu(convolve(max_pool(x, (2, 2)), 3)))
    x = x.reshape(len(x), 1, 3, 2, 3, 6).mean(axis=(2, 4)).transpose(0, 3, 1, 2).reshape(len(x), -1)
    x = taps("dense", jax.nn.relu(x @ params["7.weight"].T + params["7.bias"][None]))
    return TargetOutput(x @ params["9.weight"].T + params["9.bias"][None], taps.features)


TARGET = Target("small", SITES, 3, PREPROCESSING, None, network, None)
OPTIONS = {
    "integrated_gradients": {"steps": 8},
    "smoothgrad": {"samples": 3, "noise": 0.2},
    "gradcam": {"site": "001.second"},
}


def params():
    return {name.removeprefix("param."): v for name, v in fixture().items() if name.startswith("param.")}


def test_the_network_is_the_same():
    logits = network(params(), fixture()["images"]).logits
    np.testing.assert_allclose(logits, fixture()["logits"], rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "name",
    [
        "gradient",
        "guided_backprop",
        "input_x_gradient",
        "integrated_gradients",
        "smoothgrad",
        "gradcam",
        "lrp_epsilon",
        "lrp_gamma",
        "lrp_composite",
    ],
)
def test_every_value_is_that_of_the_other_library(name):
    options = OPTIONS.get(name, {})
    if name != "gradcam":
        options = {**options, "reduce": attributions.unreduced}
    run = jax.jit(attributions.make_attribution(name, TARGET, **options))
    result = np.asarray(run(params(), fixture()["images"], LABELS, key=jax.random.key(0)))
    expected = fixture()[name]
    result = result.reshape(expected.shape)
    np.testing.assert_allclose(result, expected, rtol=1e-3, atol=2e-4 * np.abs(expected).max())
