"""Local attention pooling against hand-checked values, a loop over windows, and its limits."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from user_settings import jit_as_for_users

from jaxpath.lap import pooling
from jaxpath.types import InputError

STATIC = ("window", "stride", "padding")
local_pool = jax.jit(pooling.local_attention_pool, static_argnames=STATIC)
merged_pool = jax.jit(pooling.merged_attention_pool, static_argnames=STATIC)
window_attention = jax.jit(pooling.window_attention, static_argnames=STATIC)
global_pool = jax.jit(pooling.global_attention_pool)
X, P = (0.1, 0.5, 2.0, 0.3), (0.1, 0.5, 0.9, 0.3)


def one_window(values) -> jnp.ndarray:
    return jnp.array(values).reshape(1, 2, 2, 1)


def draw(shape, seed=0):
    return jnp.asarray(np.random.default_rng(seed).uniform(size=shape), jnp.float32)


def slow_pool(x, p, alpha, *, window, stride, pads):
    """Per image, window, concept and channel, in float64."""
    x, p, alpha = (np.asarray(value, np.float64) for value in (x, p, alpha))
    (top, bottom), (left, right) = pads
    rows = (x.shape[1] + top + bottom - window[0]) // stride[0] + 1
    columns = (x.shape[2] + left + right - window[1]) // stride[1] + 1
    out = np.zeros((len(x), rows, columns, p.shape[-1], x.shape[-1]))
    score = np.zeros(out.shape[:-1])
    for b, i, j, k, c in np.ndindex(out.shape):
        pixels = [
            (r, s)
            for r in range(i * stride[0] - top, i * stride[0] - top + window[0])
            for s in range(j * stride[1] - left, j * stride[1] - left + window[1])
            if 0 <= r < x.shape[1] and 0 <= s < x.shape[2]
        ]
        scores = np.array([p[b, r, s, k] for r, s in pixels])
        weights = np.exp(-(alpha[k] ** 2) * (scores.max() - scores) ** 2)
        weights /= weights.sum()
        out[b, i, j, k, c] = weights @ np.array([x[b, r, s, c] for r, s in pixels])
        score[b, i, j, k] = weights @ scores
    return out, score


@pytest.mark.parametrize(
    ("alpha", "expected"), [(0.1, 0.726473), (1, 0.873580), (2, 1.272019), (5, 1.972818)]
)
def test_a_window_worked_out_by_hand(alpha, expected):
    pooled, _ = local_pool(one_window(X), one_window(P), jnp.array([float(alpha)]), window=(2, 2))
    np.testing.assert_allclose(pooled.item(), expected, rtol=3e-6)


def test_the_weights_of_that_window_and_of_one_whose_score_is_the_feature():
    weights = window_attention(one_window(P), jnp.array([2.0]), window=(2, 2))
    np.testing.assert_allclose(weights.ravel(), [0.041979, 0.286335, 0.543028, 0.128658], atol=2e-6)
    pooled, _ = local_pool(one_window(X), one_window(X), jnp.array([3.0]), window=(2, 2))
    np.testing.assert_allclose(pooled.item(), 2.0, atol=1e-3)


@pytest.mark.parametrize(
    ("window", "stride", "padding", "pads"),
    [
        ((2, 2), (2, 2), "VALID", ((0, 0), (0, 0))),
        ((2, 2), (2, 2), "SAME", ((0, 1), (0, 0))),
        ((3, 3), (2, 2), "SAME", ((1, 1), (0, 1))),
        ((3, 3), (2, 2), ((1, 1), (1, 1)), ((1, 1), (1, 1))),
        ((5, 6), (5, 6), "VALID", ((0, 0), (0, 0))),
    ],
)
def test_it_is_what_a_loop_over_windows_channels_and_concepts_finds(window, stride, padding, pads):
    # Three channels: patches whose channels are in another order than the scores' cannot pass.
    x, p, alpha = draw((2, 5, 6, 3)) - 0.5, draw((2, 5, 6, 2), 1), jnp.array([1.5, 4.0])
    options = {"window": window, "stride": stride, "padding": padding}
    expected, expected_score = slow_pool(x, p, alpha, window=window, stride=stride, pads=pads)
    pooled, score = local_pool(x, p, alpha, **options)
    np.testing.assert_allclose(pooled, expected, atol=5e-6)
    np.testing.assert_allclose(score, expected_score, atol=5e-6)
    merged = merged_pool(x, p, alpha, **options)
    np.testing.assert_allclose(merged, expected.mean(axis=-2), atol=5e-6)
    if window == (5, 6):
        whole, whole_score = global_pool(x, p, alpha)
        np.testing.assert_allclose(whole, expected[:, 0, 0], atol=5e-6)
        np.testing.assert_allclose(whole_score, expected_score[:, 0, 0], atol=5e-6)


def test_sharpness_0_and_a_constant_score_average_and_a_large_sharpness_selects():
    x, p = draw((2, 4, 6, 3)), draw((2, 4, 6, 1), 1)
    average = np.asarray(x).reshape(2, 2, 2, 3, 2, 3).mean(axis=(2, 4))
    for scores, alpha in ((p, 0.0), (jnp.full_like(p, 0.3), 7.0)):
        pooled, _ = local_pool(x, scores, jnp.array([alpha]), window=(2, 2))
        np.testing.assert_allclose(pooled[..., 0, :], average, atol=1e-6)
    pooled, score = global_pool(x, p, jnp.array([1e3]))
    flat = np.asarray(p).reshape(2, -1)
    best = flat.argmax(axis=1)
    np.testing.assert_allclose(pooled[:, 0], np.asarray(x).reshape(2, -1, 3)[[0, 1], best], atol=2e-6)
    np.testing.assert_allclose(score[:, 0], flat.max(axis=1), atol=2e-6)


def test_weights_are_a_distribution_and_the_result_lies_within_its_window():
    x, p, alpha = draw((1, 4, 4, 3)) - 0.5, draw((1, 4, 4, 2), 1), jnp.array([2.0, 5.0])
    weights = window_attention(p, alpha, window=(3, 3), stride=(2, 2), padding="SAME")
    assert (weights >= 0).all()
    np.testing.assert_allclose(weights.sum(axis=-2), 1, atol=2e-6)
    pooled, _ = global_pool(x, p, alpha)
    assert (pooled <= x.max(axis=(1, 2))[:, None] + 1e-6).all()
    assert (pooled >= x.min(axis=(1, 2))[:, None] - 1e-6).all()
    order = np.array([2, 0, 1])
    permuted, _ = global_pool(x[..., order], p, alpha)
    np.testing.assert_array_equal(permuted, pooled[..., order])


def test_the_border_of_a_padded_map_ignores_what_is_around_it():
    # Scores below 0 would lose against padded zeros.
    x, p = jnp.ones((1, 3, 3, 1)), draw((1, 3, 3, 1)) - 2
    pooled, score = local_pool(x, p, jnp.array([50.0]), window=(3, 3), stride=(2, 2), padding="SAME")
    np.testing.assert_allclose(pooled, 1, atol=2e-6)
    assert (score < -0.9).all()


def test_gradients_are_finite_at_ties_and_reach_the_sharpness():
    x, p = draw((1, 4, 4, 2)), jnp.full((1, 4, 4, 1), 0.25)

    def pooled(p, alpha):
        return local_pool(x, p, alpha, window=(2, 2), padding="SAME")[0].sum()

    assert np.isfinite(jax.grad(pooled)(p, jnp.array([3.0]))).all()
    by_alpha = jax.grad(pooled, argnums=1)(draw((1, 4, 4, 1), 1), jnp.array([0.1]))
    assert np.abs(by_alpha).min() > 0


def test_a_gate_of_0_is_the_strided_convolution_exactly_and_of_1_is_attention():
    x, kernel = draw((1, 5, 4, 2)), draw((3, 3, 2, 3), 1)
    p, alpha = draw((1, 5, 4, 1), 2), jnp.array([2.0])

    def convolve(stride):
        return jax.lax.conv_general_dilated(
            x, kernel, (stride, stride), ((1, 1), (1, 1)), dimension_numbers=("NHWC", "HWIO", "NHWC")
        )

    full = convolve(1)
    np.testing.assert_allclose(pooling.subsample_or_attend(full, p, alpha, 0.0), convolve(2), rtol=1e-6)
    attended = jit_as_for_users(partial(merged_pool, window=(2, 2), padding="SAME"))(full, p, alpha)
    result = jit_as_for_users(partial(pooling.subsample_or_attend, gate=1.0))(full, p, alpha)
    np.testing.assert_array_equal(result, attended)


def test_the_complement_weighs_by_what_is_left():
    x = jnp.array([1.0, 2, 4, 8]).reshape(1, 2, 2, 1)
    p = jnp.array([1.0, 0.5, 0.5, 1]).reshape(1, 2, 2, 1)
    np.testing.assert_allclose(pooling.complement_pool(x, p).item(), 3.0, rtol=1e-5)
    assert np.isfinite(pooling.complement_pool(x, jnp.ones_like(p))).all()


def test_half_precision_features_come_back_as_such_from_weights_in_float32():
    x, p, alpha = draw((1, 2, 2, 3)).astype(jnp.bfloat16), draw((1, 2, 2, 1), 1), jnp.array([2.0])
    pooled, score = local_pool(x, p, alpha, window=(2, 2))
    assert (pooled.dtype, score.dtype) == (jnp.bfloat16, jnp.float32)


def test_scores_of_another_size_and_windows_that_do_not_fit_are_refused():
    x, p, alpha = draw((1, 4, 4, 2)), draw((1, 2, 2, 1)), jnp.ones(1)
    with pytest.raises(InputError, match="the same"):
        global_pool(x, p, alpha)
    with pytest.raises(InputError, match="smaller"):
        local_pool(x[:, :1], draw((1, 1, 4, 1)), alpha, window=(2, 2))
