"""The attributions by name."""

from collections.abc import Callable
from functools import partial
from typing import Any

from jaxpath.attributions.cams import make_gradcam, make_gradcam_pp, make_layercam
from jaxpath.attributions.gradients import (
    make_gradient,
    make_guided,
    make_input_x_gradient,
    make_integrated,
    make_smoothgrad,
)
from jaxpath.attributions.lrp import EPSILON, GAMMA, make_lrp
from jaxpath.registry import choose
from jaxpath.types import Attribution, Target

_MAKERS: dict[str, Callable[..., Attribution]] = {
    "gradient": make_gradient,
    "input_x_gradient": make_input_x_gradient,
    "guided_backprop": make_guided,
    "integrated_gradients": make_integrated,
    "smoothgrad": make_smoothgrad,
    "gradcam": make_gradcam,
    "gradcam_pp": make_gradcam_pp,
    "layercam": make_layercam,
    "lrp_epsilon": partial(make_lrp, rules=EPSILON),
    "lrp_gamma": partial(make_lrp, rules=GAMMA),
    "lrp_composite": make_lrp,
}


def names() -> tuple[str, ...]:
    """Returns the names that :func:`make_attribution` knows.

    >>> "gradcam" in names()
    True
    """
    return tuple(_MAKERS)


def make_attribution(name: str, target: Target, **options: Any) -> Attribution:
    """Makes an attribution by its name.

    Args:
        name: One of :func:`names`.
        target: The classifier.
        **options: Keywords of its maker.

    Raises:
        InputError: There is no attribution of that name.
    """
    return choose(_MAKERS, name, kind="attribution")(target, **options)
