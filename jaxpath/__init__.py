"""Neural pathways: which neurons of a trained image classifier carry its decision, in JAX and Flax.

``jaxpath.report`` needs matplotlib and ``jaxpath.training.checkpoints`` Orbax: import them by name, like
``jaxpath.findings`` and ``jaxpath.cli``.
"""

from jaxpath import (
    attributions,
    data,
    devices,
    discover,
    explainers,
    flint,
    gencnp,
    lap,
    losses,
    metrics,
    pathways,
    targets,
    training,
)
from jaxpath.gating import Taps, gate
from jaxpath.types import (
    Attribution,
    Explainer,
    FilledMask,
    Gates,
    InputError,
    Mean,
    Objective,
    Params,
    Pathway,
    Preprocessing,
    Site,
    Target,
    TargetOutput,
)

__all__ = [
    "Attribution",
    "Explainer",
    "FilledMask",
    "Gates",
    "InputError",
    "Mean",
    "Objective",
    "Params",
    "Pathway",
    "Preprocessing",
    "Site",
    "Taps",
    "Target",
    "TargetOutput",
    "attributions",
    "data",
    "devices",
    "discover",
    "explainers",
    "flint",
    "gate",
    "gencnp",
    "lap",
    "losses",
    "metrics",
    "pathways",
    "targets",
    "training",
]
