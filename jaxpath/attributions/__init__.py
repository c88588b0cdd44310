"""White-box explainers of pixels, for any target: ``(params, images, labels, *, key) -> maps [B, H, W]``."""

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
    stopped_relevance,
)
from jaxpath.attributions.methods import make_attribution, names
from jaxpath.attributions.scores import (
    Reduce,
    as_pixels,
    magnitude,
    total,
    unreduced,
)
from jaxpath.types import Attribution

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
    "stopped_relevance",
    "total",
    "unreduced",
    "upsample",
]
