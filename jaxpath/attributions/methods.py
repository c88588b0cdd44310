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

    >>> import jax
    >>> from jaxpath import targets
    >>> target = targets.resnet8(image_size=8, channels=1)
    >>> attribute = make_attribution("gradcam", target)
    >>> params = jax.eval_shape(target.init, jax.random.key(0))  # shapes alone: nothing is computed
    >>> images, labels = jax.numpy.zeros((2, 8, 8, 1)), jax.numpy.array([3, 7])
    >>> jax.eval_shape(attribute, params, images, labels, key=jax.random.key(0)).shape
    (2, 8, 8)
    """
    return choose(_MAKERS, name, kind="attribution")(target, **options)
