"""What a curve is called: ReLU, SiLU, GELU and so on, by its values at a few points."""

from collections.abc import Callable, Iterator

import numpy as np

from jaxpath.targets.pointwise import POINTS, _erf

_EXACT, _SMOOTH = 1e-6, 1e-3
"""Largest error of a curve of straight lines, and of one for which approximations are in use."""

_SELU = 1.0507009873554805, 1.6732632423543772
_x = POINTS
_sigmoid = 1 / (1 + np.exp(-_x))
_softplus = np.logaddexp(_x, 0)

_FIXED = {
    "relu": np.maximum(_x, 0),
    "relu6": np.clip(_x, 0, 6),
    "selu": _SELU[0] * np.where(_x > 0, _x, _SELU[1] * np.expm1(np.minimum(_x, 0))),
    "hard_silu": _x * np.clip(_x + 3, 0, 6) / 6,
    "hard_sigmoid": np.clip(_x + 3, 0, 6) / 6,
    "hard_tanh": np.clip(_x, -1, 1),
    "abs": np.abs(_x),
}
"""Curves of straight lines, and of one formula."""

_APPROXIMATED = {
    "gelu": _x * (1 + _erf(_x / np.sqrt(2))) / 2,
    "mish": _x * np.tanh(_softplus),
    "tanh": np.tanh(_x),
    "sigmoid": _sigmoid,
    "softplus": _softplus,
    "soft_sign": _x / (1 + np.abs(_x)),
    "squareplus": (_x + np.sqrt(_x**2 + 4)) / 2,
}


def name_curve(curve: np.ndarray, *, learned: bool = False) -> str | None:
    """The name of an activation by its values at :data:`~jaxpath.targets.pointwise.POINTS`.

    Args:
        curve: [P].
        learned: Whether a parameter is part of it: a leaky ReLU whose slope is learned is a PReLU.

    Returns:
        A name of ``jax.nn``, ``"prelu"`` or ``"clipped_relu"``; None if it is none of them.

    >>> name_curve(np.where(POINTS > 0, POINTS, 0)), name_curve(np.clip(POINTS, 0, 6))
    ('relu', 'relu6')
    """
    if not np.isfinite(curve).all():
        return None
    for name, wanted in _FIXED.items():
        if _near(curve, wanted, _EXACT):
            return name
    for name, wanted in _APPROXIMATED.items():
        if _near(curve, wanted, _SMOOTH):
            return name
    for name, wanted, error in _families(curve):
        if _near(curve, wanted, error):
            return "prelu" if learned and name == "leaky_relu" else name
    return None


def _families(curve: np.ndarray) -> Iterator[tuple[str, np.ndarray, float]]:
    """Curves with a parameter, which one of its values gives away."""
    at: Callable[[float], float] = lambda point: float(curve[np.searchsorted(_x, point)])  # noqa: E731
    slope, ceiling, depth, at_one = -at(-1), at(30), -at(-30), at(1)
    if 0 < slope < 1:
        yield "leaky_relu", np.where(_x > 0, _x, slope * _x), _EXACT
    if 0 < ceiling < _x[-1]:
        yield "clipped_relu", np.clip(_x, 0, ceiling), _EXACT
    if depth > 0:
        below = np.minimum(_x, 0)
        yield "elu", np.where(_x > 0, _x, depth * np.expm1(below)), _SMOOTH
        yield "celu", np.where(_x > 0, _x, depth * np.expm1(below / depth)), _SMOOTH
    if 0.5 < at_one < 1:
        steepness = -np.log(1 / at_one - 1)
        yield "silu", _x / (1 + np.exp(-steepness * _x)), _SMOOTH


def _near(curve: np.ndarray, wanted: np.ndarray, error: float) -> bool:
    # At 0, nothing may be left over: max(x, 1e-6) keeps a divisor from 0 and is no activation.
    size = np.maximum(1, np.abs(wanted))
    return bool((np.abs(curve - wanted) <= error * size).all() and abs(curve - wanted)[_x == 0][0] < 1e-9)


def is_straight(curve: np.ndarray) -> bool:
    """Whether a curve bends nowhere, and is finite."""
    if not np.isfinite(curve).all():
        return False
    line = curve[0] + (curve[-1] - curve[0]) * (_x - _x[0]) / (_x[-1] - _x[0])
    return _near(curve - curve[_x == 0], line - line[_x == 0], _EXACT)


def hands_on(curve: np.ndarray) -> bool:
    """Whether a curve is 0 at 0, has the sign of x elsewhere or is 0, and never falls to the right of 0."""
    if not np.isfinite(curve).all() or abs(curve[_x == 0][0]) > _EXACT or is_zero(curve):
        return False
    right, left = curve[_x >= 0], curve[_x <= 0]
    return bool((np.diff(right) >= -_EXACT).all() and (right >= -_EXACT).all() and (left <= _EXACT).all())


def is_zero(curve: np.ndarray) -> bool:
    """Whether a curve is 0 everywhere."""
    return not np.any(curve)
