"""Explainers of pixels use the target's own activations, lose no relevance in silence, and read tokens."""

import warnings

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxpath import Preprocessing, attributions, targets
from jaxpath.attributions.cams import activation_gradient
from jaxpath.types import InputError

PREPROCESSING = Preprocessing(None, (16, 16), (0.5,) * 3, (0.25,) * 3)
IMAGES = np.random.default_rng(0).normal(size=(2, 16, 16, 3)).astype(np.float32)
LABELS = np.array([0, 1])
relu = jax.nn.relu


def adapt(*activations, quiet=True, **options):
    def init(key):
        keys = jax.random.split(key, len(activations) + 1)
        return [jax.random.normal(k, (3 if i == 0 else 8, 8)) / 2 for i, k in enumerate(keys)]

    def forward(params, x):
        for layer, activation in zip(params[:-1], activations, strict=True):
            x = activation(x @ layer)
        return x.mean((1, 2)) @ params[-1]

    with warnings.catch_warnings():
        warnings.simplefilter("ignore" if quiet else "error")
        target = targets.adapt_function(
            forward, init=init, name="net", preprocessing=PREPROCESSING, **options
        )
    return target, target.init(jax.random.key(0))


def explain(name, target, params, **options):
    run = attributions.make_attribution(name, target, **options)
    return np.asarray(run(params, IMAGES, LABELS, key=jax.random.key(0)))


def logit(target, params):
    return np.asarray(target.apply(params, IMAGES).logits)[np.arange(2), LABELS]


@jax.jit
def slanted(x):
    return jnp.where(x > 0, x, 0.25 * x)


@jax.jit
def squared(x):
    return relu(x) ** 2


@pytest.mark.parametrize("function", [slanted, squared])
def test_activations_that_the_user_names_are_those_of_every_explainer(function):
    names = [*targets.ACTIVATIONS, function.__name__]
    target, params = adapt(function, function, activations=names)
    assert (
        np.abs(explain("guided_backprop", target, params) - explain("gradient", target, params)).max() > 1e-3
    )
    relevance = explain("lrp_epsilon", target, params).sum((1, 2))
    np.testing.assert_allclose(relevance, logit(target, params), rtol=1e-2)


def test_guided_backpropagation_of_one_named_activation_by_hand():
    target, params = adapt(squared, activations=["squared"])
    first, last = (np.asarray(p, np.float64) for p in params)
    z = IMAGES.astype(np.float64) @ first
    # d y / d a = the readout over the number of pixels; only what is positive comes back.
    back = np.maximum(last[:, LABELS].T, 0)[:, None, None] / 256 * 2 * np.maximum(z, 0)
    expected = np.abs(back @ first.T).max(-1)
    np.testing.assert_allclose(explain("guided_backprop", target, params), expected, rtol=1e-4, atol=1e-7)


RESIDUAL = {
    "tanh": jnp.tanh,
    "soft sign": jax.nn.soft_sign,
    "hard tanh": jax.nn.hard_tanh,
    "cube": lambda x: x**3,
    "where": lambda x: jnp.where(jnp.abs(x) > 0.1, x, 0),
}


@pytest.mark.parametrize("function", RESIDUAL.values(), ids=RESIDUAL)
def test_what_is_0_at_0_and_keeps_the_sign_hands_relevance_on(function):
    target, params = adapt(relu, lambda v: v + function(v), lambda v: v + function(v))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        relevance = explain("lrp_epsilon", target, params).sum((1, 2))
    np.testing.assert_allclose(relevance, logit(target, params), rtol=1e-2)


@pytest.mark.parametrize(("function", "name"), [(jax.nn.softplus, "softplus"), (jnp.cos, "cos")])
def test_relevance_that_is_lost_is_said_with_its_share_and_where(function, name):
    target, params = adapt(relu, lambda v: v + function(v))
    with pytest.warns(UserWarning, match=rf"relevance of net is lost at {name} \(\d+% of the logit\)"):
        relevance = explain("lrp_epsilon", target, params).sum((1, 2))
    stopped = attributions.stopped_relevance(target, params, IMAGES, LABELS, rules=attributions.EPSILON)
    assert list(stopped) == [name]
    np.testing.assert_allclose(relevance + stopped[name], logit(target, params), rtol=1e-2)


def test_a_logit_behind_an_operation_without_a_rule_names_it():
    target, params = adapt(lambda v: jax.nn.softplus(v), activations=["softplus"])
    silent = target._replace(activations=("relu",))
    with pytest.raises(InputError, match="relevance cannot be handed back: it ends at softplus"):
        explain("lrp_epsilon", silent, params)


def test_the_factors_of_a_product_get_half_each():
    def gated(v):
        return v * relu(v.mean((1, 2), keepdims=True))

    target, params = adapt(relu, gated, lambda v: jax.nn.silu(v) * relu(v[..., ::-1]))
    relevance = explain("lrp_epsilon", target, params).sum((1, 2))
    np.testing.assert_allclose(relevance, logit(target, params), rtol=2e-2)


def test_attention_without_softmax_conserves_relevance():
    def attend(v):
        tokens = v.reshape(v.shape[0], -1, 8)
        weights = relu(jnp.einsum("bqc,bkc->bqk", tokens, tokens)) / tokens.shape[1]
        return v + jnp.einsum("bqk,bkc->bqc", weights, tokens).reshape(v.shape)

    target, params = adapt(relu, attend)
    relevance = explain("lrp_epsilon", target, params).sum((1, 2))
    np.testing.assert_allclose(relevance, logit(target, params), rtol=2e-2)


def test_the_map_of_gradcam_is_never_a_single_pixel():
    def pooled(v):
        return relu(v.mean((1, 2), keepdims=True))

    target, params = adapt(relu, pooled)
    assert [site.spatial for site in target.sites] == [(16, 16), (1, 1)]
    assert attributions.last_spatial_site(target) == "000.relu"
    assert np.ptp(explain("gradcam", target, params), axis=(1, 2)).max() > 0
    small, _ = adapt(pooled)
    with pytest.raises(InputError, match="no site with space, which is more than one place"):
        attributions.last_spatial_site(small)


def with_token(params, x):
    tokens = x.reshape(x.shape[0], 4, 4, 4, 4, 3).transpose(0, 1, 3, 2, 4, 5).reshape(x.shape[0], 16, 48)
    tokens = tokens @ params["embed"]
    first = jnp.broadcast_to(params["token"][None, None], (len(x), 1, 8))
    tokens = jnp.concatenate([first, tokens], axis=1)
    tokens = jax.nn.gelu(tokens @ params["hidden"])
    return tokens.mean(1) @ params["head"]


def token_target():
    shapes = {"embed": (48, 8), "token": (8,), "hidden": (8, 8), "head": (8, 5)}

    def init(key):
        keys = jax.random.split(key, len(shapes))
        return {n: jax.random.normal(k, s) / 3 for k, (n, s) in zip(keys, shapes.items(), strict=True)}

    target = targets.adapt_function(with_token, init=init, name="vit", preprocessing=PREPROCESSING)
    return target, target.init(jax.random.key(0))


def test_gradcam_lays_the_patches_out_on_their_grid():
    target, params = token_target()
    assert target.sites[0].spatial == (17,) and target.sites[0].patches.grid == (4, 4)
    feature = np.asarray(target.apply(params, IMAGES).features["000.gelu"])
    weights = np.asarray(params["head"])[:, LABELS].T / 17
    small = np.maximum((feature[:, 1:] * weights[:, None]).sum(-1), 0).reshape(2, 4, 4)
    expected = attributions.upsample(jnp.asarray(small), (16, 16))
    np.testing.assert_allclose(explain("gradcam", target, params), expected, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("name", attributions.names())
def test_every_attribution_explains_tokens(name):
    target, params = token_target()
    maps = explain(name, target, params)
    assert maps.shape == (2, 16, 16) and np.isfinite(maps).all() and np.abs(maps).max() > 0


def attend(x, weights):
    scores = jax.nn.softmax(jnp.einsum("btc,bsc->bts", x @ weights, x))
    return x + jnp.einsum("bts,bsc->btc", scores, x)


def make_transformer(read, norm):
    """A class token and 16 patches, two blocks of attention and a layer with a GELU: logits by ``read``."""

    def forward(params, x):
        tokens = x.reshape(len(x), 4, 4, 4, 4, 3).transpose(0, 1, 3, 2, 4, 5).reshape(len(x), 16, 48)
        tokens = tokens @ params["embed"]
        first = jnp.broadcast_to(params["token"][None, None], (len(x), 1, 8))
        tokens = jnp.concatenate([first, tokens], axis=1)
        for weights, hidden in zip(params["attend"], params["hidden"], strict=True):
            tokens = attend(tokens, weights)
            tokens = tokens + jax.nn.gelu(norm(tokens) @ hidden)
        return read(norm(tokens)) @ params["head"]

    shapes = {"embed": (48, 8), "token": (8,), "attend": (2, 8, 8), "hidden": (2, 8, 8), "head": (8, 5)}

    def init(key):
        keys = jax.random.split(key, len(shapes))
        return {n: jax.random.normal(k, s) / 3 for k, (n, s) in zip(keys, shapes.items(), strict=True)}

    target = targets.adapt_function(forward, init=init, name="vit", preprocessing=PREPROCESSING)
    return target, target.init(jax.random.key(0))


def layer_norm(x):
    return (x - x.mean(-1, keepdims=True)) / jnp.sqrt(x.var(-1, keepdims=True) + 1e-6)


READ = {
    # Behind the last attention, the class token is all that the logits ask for.
    "class token": (lambda x: x[:, 0], "000.gelu"),
    "mean of all": (lambda x: x.mean(1), "001.gelu"),
    "mean of the patches": (lambda x: x[:, 1:].mean(1), "001.gelu"),
    "class token and patches": (lambda x: x[:, 0] + x[:, 1:].max(1), "001.gelu"),
}


@pytest.mark.parametrize("norm", [lambda x: x, layer_norm], ids=["plain", "norm"])
@pytest.mark.parametrize(("read", "chosen"), READ.values(), ids=READ)
def test_maps_are_of_the_last_site_whose_patches_reach_a_logit(read, chosen, norm):
    target, params = make_transformer(read, norm)
    assert [site.patches.first for site in target.sites] == [1, 1]
    assert attributions.last_spatial_site(target) == chosen
    _, gradient = activation_gradient(target, params, IMAGES, LABELS, "001.gelu")
    assert bool(np.abs(gradient[:, 1:]).max() > 0) == (chosen == "001.gelu")
    assert np.abs(explain("layercam", target, params)).max() > 0


def test_the_class_token_of_the_librarys_own_transformer_is_read_before_its_last_block():
    target = targets.vit_tiny(num_classes=3, image_size=32)
    assert attributions.last_spatial_site(target) == target.sites[-2].name
