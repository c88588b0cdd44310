"""Neural pathways: which neurons of a trained image classifier carry its decision, in JAX and Flax.

``jaxpath.report`` needs matplotlib and ``jaxpath.training.checkpoints`` Orbax: import them by name, like
``jaxpath.findings`` and ``jaxpath.cli``.
"""

from jaxpath import (
    attributions,
    data,
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
    Explainer,
    FilledMask,
    Gates,
    InputError,
    Mean,
    Params,
    Pathway,
    Preprocessing,
    Site,
    Target,
    TargetOutput,
)

__all__ = [
    "Explainer",
    "FilledMask",
    "Gates",
    "InputError",
    "Mean",
    "Params",
    "Pathway",
    "Preprocessing",
    "Site",
    "Taps",
    "Target",
    "TargetOutput",
    "attributions",
    "data",
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
