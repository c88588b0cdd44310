"""Competing units: golden values, recomputed in float64 from the official formulas, and laws."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxpath import targets
from jaxpath.targets import lwta, lwta_argmax, win_rate, winner_mask
from jaxpath.types import InputError

H = np.array([1.0, 0.0, -1.0, 2.0])
NOISE = np.array([0.5, -0.2, 1.0, -0.4])
WEIGHTS = np.array([1.0, 2.0, 3.0, 4.0])
ODDS = np.array([0.2369, 0.0871, 0.0321, 0.6439])

GOLDEN = {
    1.67: [-0.406743, -0.223413, -0.510350, 5.140505],
    0.67: [-2.065700, -0.213649, -0.491343, 6.770692],
}
"""Temperature -> gradient of the weighted sum of what passes."""


@pytest.fixture
def fixed_noise(monkeypatch):
    monkeypatch.setattr(jax.random, "gumbel", lambda key, shape: jnp.asarray(NOISE, "f4").reshape(shape))


@pytest.mark.parametrize("temperature", GOLDEN)
def test_sample_and_gradient_are_the_golden_ones(fixed_noise, key, temperature):
    def loss(h):
        return (lwta(h, block_size=4, key=key, temperature=temperature).y * WEIGHTS.astype("f4")).sum()

    h = jnp.asarray(H, "f4")
    np.testing.assert_array_equal(lwta(h, block_size=4, key=key, temperature=temperature).y, [0, 0, 0, 2])
    np.testing.assert_allclose(jax.grad(loss)(h), GOLDEN[temperature], atol=1e-5)


def test_the_divergence_from_equal_odds_is_the_golden_one():
    result = lwta_argmax(jnp.asarray(H, "f4"), block_size=4)
    np.testing.assert_allclose(result.kl, [0.438757397], atol=1e-6)
    np.testing.assert_allclose(result.probs[0], ODDS, atol=1e-4)
    # With the official code's epsilon inside the logarithm.
    q = np.exp(H) / np.exp(H).sum()
    assert (q * (np.log(q + 1e-8) - np.log(1 / 4))).sum() == pytest.approx(0.438757437, abs=1e-9)


@pytest.mark.parametrize("temperature", [1.67, 0.67, 0.01])
def test_winners_follow_the_softmax_at_every_temperature(key, temperature):
    draws = 20_000
    h = jnp.broadcast_to(jnp.asarray(H, "f4")[None], (draws, 4))
    winners = lwta(h, block_size=4, key=key, temperature=temperature).winners
    share = np.bincount(winners[:, 0], minlength=4) / draws
    # Four standard errors of the largest variance.
    np.testing.assert_allclose(share, ODDS, atol=4 * 0.5 / draws**0.5)


@pytest.mark.parametrize("shape", [(5, 12), (2, 7, 12), (2, 3, 4, 12)])
@pytest.mark.parametrize("make", [lwta, lwta_argmax])
def test_exactly_one_unit_of_each_block_passes_at_every_place(key, shape, make):
    h = jax.random.normal(key, shape)
    given = {} if make is lwta_argmax else {"key": key}
    result = make(h, block_size=4, **given)
    assert (np.asarray(result.y).reshape(*shape[:-1], 3, 4) != 0).sum(axis=-1).tolist() == np.ones(
        (*shape[:-1], 3)
    ).tolist()
    np.testing.assert_array_equal(result.y, h * winner_mask(result.winners, block_size=4))
    kl = np.asarray(result.kl)
    assert kl.shape == (*shape[:-1], 3) and kl.min() > 0 and kl.max() < np.log(4)


def test_a_position_of_a_feature_map_competes_like_a_pixel_alone(key):
    h = jax.random.normal(key, (2, 3, 4, 6))
    whole = lwta_argmax(h, block_size=3)
    for n, row, column in np.ndindex(2, 3, 4):
        pixel = np.asarray(h[n, row, column]).reshape(2, 3)
        np.testing.assert_array_equal(whole.winners[n, row, column], pixel.argmax(axis=1))
        expected = np.where(np.arange(3) == pixel.argmax(axis=1)[:, None], pixel, 0)
        np.testing.assert_array_equal(whole.y[n, row, column], expected.ravel())
    rate = win_rate(whole.winners, block_size=3)
    np.testing.assert_allclose(rate, (np.asarray(whole.y) != 0).mean(axis=(1, 2)), atol=1e-6)


def test_losers_learn_and_gradients_are_finite(key):
    h = jax.random.normal(key, (6, 8)) * 3
    slope = np.asarray(jax.grad(lambda h: (lwta(h, block_size=4, key=key).y ** 2).sum())(h))
    assert np.isfinite(slope).all()
    assert (slope != 0).all()


def test_equal_competitors_diverge_by_nothing_and_the_first_wins():
    result = lwta_argmax(jnp.full((2, 8), 1.5), block_size=4)
    np.testing.assert_allclose(result.kl, np.zeros((2, 2)), atol=1e-6)
    np.testing.assert_array_equal(result.winners, np.zeros((2, 2)))


def test_one_key_gives_one_draw_and_keys_of_examples_do_not_mix(key):
    h = jnp.broadcast_to(jax.random.normal(key, (1, 16)) * 0.1, (4, 16))
    np.testing.assert_array_equal(*(lwta(h, block_size=4, key=key).winners for _ in range(2)))
    keys = jax.random.split(key, 4)
    together = lwta(h, block_size=4, key=keys).winners
    np.testing.assert_array_equal(together[2:], lwta(h[2:], block_size=4, key=keys[2:]).winners)
    assert np.any(together[0] != together[1])


def test_a_temperature_of_zero_is_the_deterministic_layer(key):
    h = jax.random.normal(key, (3, 8))
    np.testing.assert_array_equal(
        lwta(h, block_size=2, key=key, temperature=0.0).y, lwta_argmax(h, block_size=2).y
    )
    # Far apart, a draw loses to the largest one in one case of e^100.
    far = 100 * jnp.arange(8.0)[None]
    np.testing.assert_array_equal(lwta(far, block_size=4, key=key).winners, [[3, 3]])


@pytest.mark.parametrize(
    ("attempt", "parts"),
    [
        (lambda h, key: lwta(h, block_size=3, key=key), ["8 units", "blocks of 3"]),
        (lambda h, key: lwta(h, block_size=2, key=key, temperature=-1.0), ["temperature", "-1.0"]),
        (lambda h, key: targets.resnet8(competitors=0), ["0 competitors"]),
        (lambda h, key: targets.resnet8(competitors=5), ["16 units", "blocks of 5"]),
        (lambda h, key: targets.make_target("vgg11_lwta2"), ["vgg11_lwta2", "resnet18_lwta4"]),
        (lambda h, key: targets.deit_tiny(image_size=40), ["40 x 40", "16"]),
    ],
)
def test_a_mistake_is_one_sentence(key, attempt, parts):
    with pytest.raises(InputError) as error:
        attempt(jnp.zeros((1, 8)), key)
    assert all(part in str(error.value) for part in parts), error.value
