"""A DeiT against NumPy, with GELUs and with competing units."""

import jax
import numpy as np
import pytest
from scipy.special import erf

from jaxpath import targets
from jaxpath.targets.deit import DeiT


def dense(x, p):
    return x @ p["kernel"] + p["bias"]


def norm(x, p):
    centred = x - x.mean(axis=-1, keepdims=True)
    return centred / np.sqrt((centred**2).mean(axis=-1, keepdims=True) + 1e-6) * p["scale"] + p["bias"]


def attention(x, p, heads):
    """Head by head, query by query."""
    q, k, v = np.split(dense(x, p["qkv"]), 3, axis=-1)
    size = q.shape[-1] // heads
    mixed = np.zeros_like(q)
    for head in range(heads):
        part = slice(head * size, (head + 1) * size)
        for n, t in np.ndindex(q.shape[:2]):
            odds = k[n, :, part] @ q[n, t, part] / np.sqrt(size)
            weights = np.exp(odds - odds.max())
            mixed[n, t, part] = weights / weights.sum() @ v[n, :, part]
    return dense(mixed, p["proj"])


def activate(h, competitors):
    if competitors == 1:
        return h * (1 + erf(h / np.sqrt(2))) / 2
    blocks = h.reshape(*h.shape[:-1], -1, competitors)
    best = blocks.argmax(axis=-1)[..., None] == np.arange(competitors)
    return (blocks * best).reshape(h.shape)


def slow_deit(p, images, *, patch, heads, competitors):
    batch, height, width, channels = images.shape
    patches = images.reshape(batch, height // patch, patch, width // patch, patch, channels)
    patches = patches.transpose(0, 1, 3, 2, 4, 5).reshape(batch, -1, patch * patch * channels)
    kernel = p["patch_embed"]["proj"]["kernel"]
    x = patches @ kernel.reshape(-1, kernel.shape[-1]) + p["patch_embed"]["proj"]["bias"]
    x = np.concatenate([np.repeat(p["cls_token"], batch, axis=0), x], axis=1) + p["pos_embed"]
    for name in sorted(name for name in p if name.startswith("blocks_")):
        block = p[name]
        x = x + attention(norm(x, block["norm1"]), block["attn"], heads)
        h = dense(norm(x, block["norm2"]), block["mlp"]["fc1"])
        x = x + dense(activate(h, competitors), block["mlp"]["fc2"])
    return dense(norm(x, p["norm"])[:, 0], p["head"])


@pytest.mark.parametrize("competitors", [1, 4])
def test_the_logits_are_those_of_a_slow_version(competitors):
    module = DeiT(3, 8, 2, depth=2, patch=4, competitors=competitors)
    preprocessing = targets.make_preprocessing((8, 12), 2)
    target = targets.from_linen(module, name="small", num_classes=3, preprocessing=preprocessing)
    rng = np.random.default_rng(0)
    shapes = jax.eval_shape(target.init, jax.random.key(0))
    params = jax.tree.map(lambda leaf: rng.normal(0, 0.5, leaf.shape).astype(np.float32), shapes)
    images = rng.normal(size=(2, 8, 12, 2)).astype(np.float32)
    result = jax.jit(target.apply)(params, images).logits
    double = jax.tree.map(lambda leaf: leaf.astype(np.float64), params["params"])
    expected = slow_deit(double, images.astype(np.float64), patch=4, heads=2, competitors=competitors)
    np.testing.assert_allclose(result, expected, atol=1e-4 * np.abs(expected).max())


def test_the_published_sizes_have_the_published_numbers_of_parameters():
    for name, millions in (("deit_tiny", 5.7), ("deit_small_lwta16", 22.1)):
        shapes = jax.eval_shape(targets.make_target(name).init, jax.random.key(0))
        count = sum(leaf.size for leaf in jax.tree.leaves(shapes))
        assert round(count / 1e6, 1) == millions
