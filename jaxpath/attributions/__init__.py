"""White-box explainers of pixels, for any target: ``(params, images, labels, *, key) -> maps [B, H, W]``."""

from collections.abc import Callable
from functools import partial
from typing import Any

from jaxpath.attributions.cams import (
    activation_gradient,
    last_spatial_site,
    make_gradcam,
    make_gradcam_pp,
    make_layercam,
    upsample,
)
from jaxpath.attributions.gradients import (
    make_gradient,
    make_guided,
    make_input_x_gradient,
    make_integrated,
    make_smoothgrad,
)
from jaxpath.attributions.lrp import (
    EPSILON,
    GAMMA,
    Rules,
    box_rule,
    composite_rules,
    epsilon_rule,
    gamma_rule,
    make_lrp,
)
from jaxpath.attributions.scores import (
    Reduce,
    as_pixels,
    magnitude,
    total,
    unreduced,
)
from jaxpath.types import Attribution, InputError, Target

__all__ = [
    "EPSILON",
    "GAMMA",
    "Attribution",
    "Reduce",
    "Rules",
    "activation_gradient",
    "as_pixels",
    "box_rule",
    "composite_rules",
    "epsilon_rule",
    "gamma_rule",
    "last_spatial_site",
    "magnitude",
    "make_attribution",
    "make_gradcam",
    "make_gradcam_pp",
    "make_gradient",
    "make_guided",
    "make_input_x_gradient",
    "make_integrated",
    "make_layercam",
    "make_lrp",
    "make_smoothgrad",
    "names",
    "total",
    "unreduced",
    "upsample",
]

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
    if name not in _MAKERS:
        raise InputError(f"there is no attribution named {name!r}; choose one of {', '.join(names())}")
    return _MAKERS[name](target, **options)
