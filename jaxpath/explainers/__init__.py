"""Baselines: pathways from scores that come from the target itself, without training.

Every maker takes ``(target, *, density, granularity="channel")`` and returns an
:class:`~jaxpath.types.Explainer` whose masks have exactly that density.
"""

from typing import TYPE_CHECKING

from jaxpath.lazy import attributes_of

if TYPE_CHECKING:
    from jaxpath.explainers.attribution import (
        integrated_gradients,
        make_activation,
        make_constant,
        make_integrated_gradients,
        make_random,
        make_taylor,
        make_taylor_signed,
    )
    from jaxpath.explainers.baselines import BASELINES, Baseline, make_explainer, names
    from jaxpath.explainers.contrastive import make_contrastive
    from jaxpath.explainers.rivals import make_rival
    from jaxpath.explainers.saliency import pathway_saliency, pixel_gradient
    from jaxpath.explainers.scoring import Granularity, make_cut
    from jaxpath.explainers.search import make_dgr, make_greedy, make_refined

__getattr__ = attributes_of(__name__)

__all__ = [
    "BASELINES",
    "Baseline",
    "Granularity",
    "integrated_gradients",
    "make_activation",
    "make_constant",
    "make_contrastive",
    "make_cut",
    "make_dgr",
    "make_explainer",
    "make_greedy",
    "make_integrated_gradients",
    "make_random",
    "make_refined",
    "make_rival",
    "make_taylor",
    "make_taylor_signed",
    "names",
    "pathway_saliency",
    "pixel_gradient",
]
