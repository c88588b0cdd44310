"""How sure a mean is: over images by the bootstrap, over seeds by Student's t."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jaxpath.types import InputError

_ENTRIES = 10_000_000
"""Numbers that are resampled at once: memory stays bounded for any number of images."""


class Interval(NamedTuple):
    """A mean and its confidence interval."""

    mean: float
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.mean:.3f} [{self.low:.3f}, {self.high:.3f}]"


def image_interval(
    values: np.ndarray, *, seed: int = 0, confidence: float = 0.95, num_resamples: int = 2000
) -> Interval:
    """Percentile bootstrap interval of the mean over images.

    It says how the figure would vary over other test images, for this one trained explainer.

    Args:
        values: [N_images], one number per image, such as ``masked_predicted == predicted``.
        seed: Of the resampling.
        confidence: Share of such intervals that hold the true mean.
        num_resamples: Number of bootstrap samples.

    Raises:
        InputError: Fewer than two values, or one that is not finite.
    """
    # It takes two seconds to import, and `import jaxpath` comes by here.
    from scipy import stats

    numbers = _check(values, "images")
    interval = stats.bootstrap(
        (numbers,),
        np.mean,
        n_resamples=num_resamples,
        batch=max(1, _ENTRIES // numbers.size),
        confidence_level=confidence,
        method="percentile",
        rng=np.random.default_rng(seed),
    ).confidence_interval
    return Interval(float(numbers.mean()), float(interval.low), float(interval.high))


def seed_interval(
    values: Sequence[float] | np.ndarray,
    *,
    confidence: float = 0.95,
    bounds: tuple[float, float] = (-np.inf, np.inf),
) -> Interval:
    """Student's t interval of the mean over runs with different seeds.

    mean +- t * s / sqrt(n), n - 1 degrees of freedom. Not the bootstrap: of three values, the usual
    number of seeds, it can draw only ten different samples, and its intervals are far too narrow.

    Args:
        values: One number per run.
        confidence: Share of such intervals that hold the true mean.
        bounds: The smallest and the largest possible value, such as (0, 1) of a share, where the interval
            ends.

    Raises:
        InputError: Fewer than two values, or one that is not finite.

    >>> print(seed_interval([1.0, 2.0, 3.0]))
    2.000 [-0.484, 4.484]
    >>> print(seed_interval([0.9, 1.0, 1.0], bounds=(0, 1)))
    0.967 [0.823, 1.000]
    """
    # scipy.stats has the same quantile and takes a second to import.
    from scipy.special import stdtrit

    numbers = _check(values, "seeds")
    quantile = stdtrit(numbers.size - 1, (1 + confidence) / 2)
    half = float(quantile * numbers.std(ddof=1) / np.sqrt(numbers.size))
    mean = float(numbers.mean())
    least, most = bounds
    return Interval(mean, max(mean - half, least), min(mean + half, most))


def _check(values: Sequence[float] | np.ndarray, what: str) -> np.ndarray:
    numbers = np.asarray(values, np.float64)
    if numbers.ndim != 1 or numbers.size < 2 or not np.isfinite(numbers).all():
        raise InputError(
            f"an interval over {what} was asked for from values of shape {list(numbers.shape)}, of which "
            f"{int((~np.isfinite(numbers)).sum())} are not finite; give at least two finite values in a row"
        )
    return numbers
