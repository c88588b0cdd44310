import numpy as np
import pytest
from scipy import stats

from jaxpath.metrics import image_interval, seed_interval
from jaxpath.types import InputError


def test_the_bootstrap_of_many_images_agrees_with_the_normal_interval():
    values = np.random.default_rng(0).exponential(size=2000)
    result = image_interval(values)
    half = 1.96 * values.std() / np.sqrt(2000)
    assert result.mean == pytest.approx(values.mean())
    assert result.low == pytest.approx(values.mean() - half, abs=0.1 * half)
    assert result.high == pytest.approx(values.mean() + half, abs=0.1 * half)


def test_the_bootstrap_agrees_with_a_loop_over_resamples():
    values = np.array([0.0, 1.0, 1.0, 1.0, 0.0, 1.0, 1.0])
    rng = np.random.default_rng(5)
    means = [values[rng.integers(0, 7, 7)].mean() for _ in range(20000)]
    result = image_interval(values, num_resamples=20000, seed=1)
    # Means are sevenths: both must hit the same ones.
    assert result.low == pytest.approx(np.percentile(means, 2.5))
    assert result.high == pytest.approx(np.percentile(means, 97.5))


def test_a_seed_repeats_the_interval_and_another_one_does_not():
    values = np.random.default_rng(0).normal(size=50)
    assert image_interval(values, seed=1) == image_interval(values, seed=1)
    assert image_interval(values, seed=1) != image_interval(values, seed=2)


def test_blocks_of_resamples_change_nothing(monkeypatch):
    from jaxpath.metrics import intervals

    values = np.random.default_rng(0).normal(size=50)
    whole = image_interval(values)
    monkeypatch.setattr(intervals, "_ENTRIES", 350)
    assert image_interval(values) == whole


def test_truth_values_are_numbers_and_a_constant_has_no_spread():
    assert image_interval(np.ones(5, bool)) == (1, 1, 1)


def test_more_confidence_is_wider():
    values = np.random.default_rng(0).normal(size=50)
    narrow, wide = (image_interval(values, confidence=c) for c in (0.5, 0.99))
    assert wide.low < narrow.low < narrow.mean < narrow.high < wide.high


def test_the_interval_over_seeds_by_hand():
    # s = 1, t(2 degrees of freedom) at 97.5 % = 4.303 from any table.
    result = seed_interval([1.0, 2.0, 3.0])
    assert result.mean == 2
    assert result.high - 2 == pytest.approx(4.303 / np.sqrt(3), abs=1e-3)
    assert 2 - result.low == pytest.approx(result.high - 2)


def test_the_interval_over_seeds_holds_the_truth_as_often_as_it_says():
    rng = np.random.default_rng(0)
    hits = [low <= 5 <= high for _, low, high in (seed_interval(rng.normal(5, 2, 3)) for _ in range(1000))]
    # Three standard deviations of a binomial share.
    assert np.mean(hits) == pytest.approx(0.95, abs=3 * np.sqrt(0.95 * 0.05 / 1000))
    assert seed_interval([1, 2, 4, 4])[1:] == pytest.approx(
        stats.t.interval(0.95, 3, loc=2.75, scale=stats.sem([1, 2, 4, 4]))
    )


def test_an_interval_prints_itself():
    assert str(seed_interval([0.5, 0.5])) == "0.500 [0.500, 0.500]"


@pytest.mark.parametrize("values", [[], [1.0], [1.0, float("nan")], [[1.0, 2.0]]])
def test_too_few_or_broken_values_are_refused(values):
    for interval in (image_interval, seed_interval):
        with pytest.raises(InputError, match="at least two finite"):
            interval(np.array(values))
