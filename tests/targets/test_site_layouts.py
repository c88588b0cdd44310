"""Channels are found wherever they are: after the batch, last, or behind merged tokens."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn

from jaxpath import Preprocessing, targets
from jaxpath.types import FilledMask, Given, Patches

PREPROCESSING = Preprocessing(None, (20, 32), (0.5,) * 3, (0.25,) * 3)
IMAGES = np.random.default_rng(0).normal(size=(2, 20, 32, 3)).astype(np.float32)
relu = jax.nn.relu


def adapt(forward, shapes, **options):
    def init(key):
        keys = jax.random.split(key, len(shapes))
        return [0.3 * jax.random.normal(k, shape) for k, shape in zip(keys, shapes, strict=True)]

    return targets.adapt_function(forward, init=init, name="net", preprocessing=PREPROCESSING, **options)


def shapes_of(target):
    return [(site.channels, site.spatial) for site in target.sites]


def check(target):
    """Gates of ones change nothing, the strongest channel is closed and no other, images do not mix."""
    params = target.init(jax.random.key(1))
    clean = target.apply(params, IMAGES)
    for site in target.sites:
        feature = clean.features[site.name]
        assert feature.shape == (2, *(site.spatial or ()), site.channels)
        ones = {site.name: jnp.ones((2, site.channels))}
        np.testing.assert_allclose(target.apply(params, IMAGES, ones).logits, clean.logits, atol=1e-5)
        strongest = int(np.abs(feature[0]).reshape(-1, site.channels).max(0).argmax())
        gates = np.ones((2, site.channels), np.float32)
        gates[0, strongest] = 0
        closed = target.apply(params, IMAGES, {site.name: gates})
        expected = np.array(feature)
        expected[0, ..., strongest] = 0
        np.testing.assert_allclose(closed.features[site.name], expected, atol=1e-6)
        assert np.abs(closed.logits[1] - clean.logits[1]).max() < 1e-5
        assert np.abs(closed.logits[0] - clean.logits[0]).max() > 1e-6
        units = target.apply(params, IMAGES, {site.name: jnp.ones_like(feature)})
        np.testing.assert_allclose(units.logits, clean.logits, atol=1e-5)
    return params, clean


def channels_first(params, x):
    """Two convolutions of [B, C, H, W], a normalisation, a dense layer."""
    numbers = ("NCHW", "OIHW", "NCHW")
    x = x.transpose(0, 3, 1, 2)
    x = relu(jax.lax.conv_general_dilated(x, params[0], (1, 1), "SAME", dimension_numbers=numbers))
    x = jax.lax.conv_general_dilated(x, params[1], (2, 2), "SAME", dimension_numbers=numbers)
    x = x * params[2][None, :, None, None] + params[3][None, :, None, None]
    return relu(x).mean((2, 3)) @ params[4]


FIRST = [(8, 3, 3, 3), (24, 8, 3, 3), (24,), (24,), (24, 10)]


def one_image(params, x):
    """The same for one image [C, H, W], as in Equinox."""

    def convolve(x, kernel, stride):
        numbers = ("NCHW", "OIHW", "NCHW")
        return jax.lax.conv_general_dilated(
            x[None], kernel, (stride, stride), "SAME", dimension_numbers=numbers
        )[0]

    x = relu(convolve(x, params[0], 1))
    x = relu(convolve(x, params[1], 2) * params[2][:, None, None] + params[3][:, None, None])
    return params[4].T @ x.mean((1, 2))


def vectorised(params, x):
    return jax.vmap(one_image, in_axes=(None, 0))(params, x.transpose(0, 3, 1, 2))


@pytest.mark.parametrize("forward", [channels_first, vectorised], ids=["batched", "vmap"])
@pytest.mark.parametrize("layout", [None, "NCHW"])
def test_channels_that_come_first_are_found(forward, layout):
    target = adapt(forward, FIRST, layout=layout)
    assert shapes_of(target) == [(8, (20, 32)), (24, (10, 16))]
    params, clean = check(target)
    np.testing.assert_allclose(clean.logits, forward(params, IMAGES), rtol=1e-4, atol=1e-5)
    numbers = ("NCHW", "OIHW", "NCHW")
    first = jax.lax.conv_general_dilated(
        IMAGES.transpose(0, 3, 1, 2), params[0], (1, 1), "SAME", dimension_numbers=numbers
    )
    np.testing.assert_allclose(
        clean.features["000.relu"], relu(first).transpose(0, 2, 3, 1), rtol=1e-4, atol=1e-5
    )


@pytest.mark.parametrize("forward", [channels_first, vectorised], ids=["batched", "vmap"])
def test_what_is_put_in_the_place_of_channels_that_come_first_is_gone_on_with(forward):
    target = adapt(forward, FIRST)
    params = target.init(jax.random.key(1))
    clean = target.apply(params, IMAGES)
    for site in target.sites:
        # Everything passes both sites: with the other picture's activation it is the other picture.
        other = clean.features[site.name][::-1]
        closed = np.zeros((2, site.channels), np.float32)
        for gate in (Given(other), FilledMask(closed, other)):
            entered = target.apply(params, IMAGES, {site.name: gate})
            np.testing.assert_allclose(entered.logits, clean.logits[::-1], rtol=1e-4, atol=1e-5)
            np.testing.assert_array_equal(entered.features[site.name], other)


def test_a_square_image_and_as_many_channels_as_pixels_do_not_confuse():
    square = PREPROCESSING._replace(crop=(8, 8))
    target = targets.adapt_function(
        channels_first,
        init=lambda key: [jnp.ones(shape) for shape in FIRST],
        name="net",
        preprocessing=square,
    )
    assert shapes_of(target) == [(8, (8, 8)), (24, (4, 4))]
    params = [jax.random.normal(jax.random.key(i), shape) for i, shape in enumerate(FIRST)]
    gates = {"000.relu": np.ones((1, 8), np.float32)}
    gates["000.relu"][0, 3] = 0
    feature = target.apply(params, IMAGES[:1, :8, :8], gates).features["000.relu"]
    assert (feature[..., 3] == 0).all() and (np.abs(feature).max((0, 1, 2)) > 0).sum() == 7


def test_images_mapped_one_by_one_are_one_batch():
    def mapped(params, x):
        return jax.lax.map(lambda image: one_image(params, image), x.transpose(0, 3, 1, 2))

    target = adapt(mapped, FIRST)
    assert shapes_of(target) == [(8, (20, 32)), (24, (10, 16))]
    check(target)


def test_a_rank_of_merged_tokens_is_taken_apart():
    def forward(params, x):
        x = jax.lax.conv_general_dilated(
            x, params[0], (4, 4), "VALID", dimension_numbers=("NHWC", "HWIO", "NHWC")
        )
        rows = jax.nn.gelu(x.reshape(-1, 8) @ params[1])
        return rows.reshape(x.shape[0], -1, 16).mean(1) @ params[2]

    target = adapt(forward, [(4, 4, 3, 8), (8, 16), (16, 10)])
    assert shapes_of(target) == [(16, (40,))]
    assert target.sites[0].patches == Patches(0, (5, 8))
    check(target)


class Transformer(nn.Module):
    """A class token, patches by a convolution, two blocks with attention by a ReLU, and their MLPs."""

    registers: int = 1

    @nn.compact
    def __call__(self, x):
        x = nn.Conv(12, (4, 4), (4, 4), padding="VALID")(x).reshape(x.shape[0], -1, 12)
        token = self.param("token", nn.initializers.normal(1.0), (1, self.registers, 12))
        x = jnp.concatenate([jnp.broadcast_to(token, (len(x), self.registers, 12)), x], axis=1)
        for _ in range(2):
            y = nn.LayerNorm()(x)
            q, k, v = jnp.moveaxis(nn.Dense(36)(y).reshape(*y.shape[:2], 3, 3, 4), 2, 0)
            weights = nn.relu(jnp.einsum("bqhd,bkhd->bhqk", q, k)) / y.shape[1]
            x = x + nn.Dense(12)(jnp.einsum("bhqk,bkhd->bqhd", weights, v).reshape(y.shape))
            x = x + nn.Dense(12)(nn.gelu(nn.Dense(48)(nn.LayerNorm()(x))))
        return nn.Dense(10)(nn.LayerNorm()(x)[:, 0])


@pytest.mark.parametrize("registers", [1, 5])
def test_tokens_are_sites_and_attention_maps_are_none(registers):
    with pytest.warns(UserWarning, match="relu was seen 2 times and not taken"):
        target = targets.adapt_linen(Transformer(registers), name="vit", preprocessing=PREPROCESSING)
    assert shapes_of(target) == [(48, (40 + registers,))] * 2
    assert all(site.patches == Patches(registers, (5, 8)) for site in target.sites)
    assert "its axes are no images, places and channels" in target.notes[0]


class Mixer(nn.Module):
    """MLPs over the patches, [B, C, D], and over the channels, [B, T, D]."""

    @nn.compact
    def __call__(self, x):
        x = nn.Conv(12, (4, 4), (4, 4), padding="VALID")(x).reshape(x.shape[0], -1, 12)
        y = nn.gelu(nn.Dense(24)(nn.LayerNorm()(x).swapaxes(1, 2)))
        x = x + nn.Dense(40)(y).swapaxes(1, 2)
        x = x + nn.Dense(12)(nn.gelu(nn.Dense(48)(nn.LayerNorm()(x))))
        return nn.Dense(10)(x.mean(1))


def test_a_mixer_has_sites_over_patches_and_over_channels():
    target = targets.adapt_linen(Mixer(), name="mixer", preprocessing=PREPROCESSING)
    assert shapes_of(target) == [(24, (12,)), (48, (40,))]
    assert [site.patches for site in target.sites] == [None, Patches(0, (5, 8))]
    check(target)


def test_patches_that_are_cut_by_reshaping_are_on_their_grid():
    def forward(params, x):
        b = x.shape[0]
        x = x.reshape(b, 5, 4, 8, 4, 3).transpose(0, 1, 3, 2, 4, 5).reshape(b, 40, 48)
        return relu(x @ params[0]).mean(1) @ params[1]

    target = adapt(forward, [(48, 12), (12, 10)])
    assert target.sites[0].spatial == (40,) and target.sites[0].patches == Patches(0, (5, 8))


def test_a_flattened_map_is_a_dense_site():
    target = adapt(lambda p, x: relu(x @ p[0]).reshape(x.shape[0], -1) @ p[1], [(3, 2), (1280, 10)])
    flat = adapt(lambda p, x: relu((x @ p[0]).reshape(x.shape[0], -1)) @ p[1], [(3, 2), (1280, 10)])
    assert shapes_of(target) == [(2, (20, 32))] and shapes_of(flat) == [(1280, None)]


def test_one_channel_is_the_last_axis():
    target = adapt(lambda p, x: relu(x @ p[0]).mean((1, 2)) @ p[1], [(3, 1), (1, 10)])
    assert shapes_of(target) == [(1, (20, 32))]
