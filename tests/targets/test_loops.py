"""Loops of known length are written out: each turn has sites of its own."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import linen as nn
from small_adapted import IMAGES, adapt, names_of

from jaxpath import targets
from jaxpath.targets.program import LONGEST_LOOP
from jaxpath.types import InputError

relu = jax.nn.relu
LAYERS, WIDTH = 3, 8


def init(key):
    first, loop, last = jax.random.split(key, 3)
    return {
        "first": jax.random.normal(first, (3, WIDTH)),
        "loop": 0.3 * jax.random.normal(loop, (LAYERS, WIDTH, WIDTH)),
        "last": jax.random.normal(last, (WIDTH, 10)),
    }


def with_loop(loop):
    def forward(params, x):
        return loop(params["loop"], relu(x @ params["first"])).mean((1, 2)) @ params["last"]

    return forward


def written_out(layers, x):
    for layer in layers:
        x = x + relu(x @ layer)
    return x


def by_scan(layers, x):
    return jax.lax.scan(lambda x, layer: (x + relu(x @ layer), x.mean()), x, layers)[0]


def backwards(layers, x):
    return jax.lax.scan(lambda x, layer: (x + relu(x @ layer), None), x, layers[::-1], reverse=True)[0]


def by_fori(layers, x):
    return jax.lax.fori_loop(0, LAYERS, lambda i, x: x + relu(x @ layers[i]), x)


def gathered(layers, x):
    """What each turn leaves is the result."""
    return jax.lax.scan(lambda x, layer: (x + relu(x @ layer),) * 2, x, layers)[1][-1]


def nested(layers, x):
    def outer(x, layer):
        return jax.lax.scan(lambda x, _: (x + relu(x @ layer), None), x, length=1)[0], None

    return jax.lax.scan(outer, x, layers)[0]


def checkpointed(layers, x):
    return jax.lax.scan(jax.checkpoint(lambda x, layer: (x + relu(x @ layer), None)), x, layers)[0]


@pytest.mark.parametrize("loop", [by_scan, backwards, by_fori, gathered, nested, checkpointed])
def test_each_turn_is_a_site_with_the_values_of_the_loop_written_out(loop):
    made = [
        targets.adapt_function(
            with_loop(each), init=init, name="net", preprocessing=targets.make_preprocessing((6, 5))
        )
        for each in (loop, written_out)
    ]
    assert [site[1:] for site in made[0].sites] == [site[1:] for site in made[1].sites] == [(8, (6, 5))] * 4
    params, x = init(jax.random.key(0)), IMAGES[:, :6, :5]
    gates = np.random.default_rng(0).integers(0, 2, (4, 2, 8)).astype(np.float32)
    outputs = [
        target.apply(params, x, {s.name: gate for s, gate in zip(target.sites, gates, strict=True)})
        for target in made
    ]
    np.testing.assert_allclose(outputs[0].logits, outputs[1].logits, rtol=1e-5, atol=1e-6)
    for one, other in zip(*(output.features.values() for output in outputs), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(made[0].apply(params, x).logits, with_loop(loop)(params, x), rtol=1e-5)


def test_turns_have_numbers_in_their_names():
    target = targets.adapt_function(
        with_loop(by_scan), init=init, name="net", preprocessing=targets.make_preprocessing((6, 5))
    )
    assert names_of(target) == ["000.relu", "001.0.relu", "002.1.relu", "003.2.relu"]


class Block(nn.Module):
    @nn.compact
    def __call__(self, x, _):
        return x + nn.Dense(8)(nn.gelu(nn.Dense(16)(nn.LayerNorm()(x)))), None


class Scanned(nn.Module):
    @nn.compact
    def __call__(self, x):
        x = nn.Conv(8, (4, 4), (4, 4))(x).reshape(x.shape[0], -1, 8)
        scan = nn.scan(Block, variable_axes={"params": 0}, split_rngs={"params": True}, length=3)
        return nn.Dense(10)(scan(name="blocks")(x, None)[0].mean(1))


def test_a_linen_scan_over_blocks_has_a_site_in_each():
    target = targets.adapt_linen(Scanned(), name="vit", preprocessing=targets.make_preprocessing((16, 16)))
    assert [site.channels for site in target.sites] == [16, 16, 16]
    params = target.init(jax.random.key(0))
    expected = Scanned().apply(params, IMAGES)
    np.testing.assert_allclose(target.apply(params, IMAGES).logits, expected, rtol=1e-4, atol=1e-5)
    closed = {site.name: jnp.zeros((2, 16)) for site in target.sites[1:]}
    assert np.abs(target.apply(params, IMAGES, closed).logits - expected).max() > 1e-3


def test_a_loop_without_activations_stays_a_loop():
    def power(x):
        return jax.lax.fori_loop(0, 40, lambda _, v: v / jnp.linalg.norm(v, axis=-1, keepdims=True), x)

    target = adapt(lambda x: relu(power(x)))
    assert names_of(target) == ["000.relu"]
    traced = jax.make_jaxpr(target.apply)(target.init(jax.random.key(0)), IMAGES)
    assert "scan" in str(traced)


def test_a_loop_of_unknown_or_too_many_turns_is_refused_with_a_remedy_that_works():
    def awaited(x):
        return jax.lax.while_loop(lambda s: s[0] < 3, lambda s: (s[0] + 1, relu(s[1]) + 1), (0, x))[1]

    with pytest.raises(InputError, match=r"inside a 'while' .* as lax.scan and lax.fori_loop have it"):
        adapt(awaited)
    counted = adapt(lambda x: jax.lax.fori_loop(0, 3, lambda _, x: relu(x) + 1, x))
    assert names_of(counted) == ["000.0.relu", "001.1.relu", "002.2.relu"]
    with pytest.raises(InputError, match=r"inside a 'scan' .* write a loop as long as this in Python"):
        adapt(lambda x: jax.lax.fori_loop(0, LONGEST_LOOP + 1, lambda _, x: relu(x), x))


def test_branches_over_weights_are_written_out():
    def forward(params, x):
        stacked = jax.lax.map(lambda layer: relu(x @ layer).mean((1, 2)), params["loop"][:, :3])
        return stacked.sum(0) @ params["last"]

    target = targets.adapt_function(
        forward, init=init, name="net", preprocessing=targets.make_preprocessing((6, 5))
    )
    assert [site[1:] for site in target.sites] == [(8, (6, 5))] * 3
