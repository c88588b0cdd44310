"""Neural pathways: which neurons of a trained image classifier carry its decision, in JAX and Flax.

``jaxpath.report`` needs matplotlib and ``jaxpath.training.checkpoints`` Orbax: import them by name, like
``jaxpath.findings`` and ``jaxpath.cli``.
"""

from typing import TYPE_CHECKING

from jaxpath import terminal
from jaxpath.lazy import attributes_of

__version__ = "0.2.0"

# Loading takes seconds.
terminal.load_quietly()

if TYPE_CHECKING:
    from jaxpath import (
        attributions,
        data,
        devices,
        discover,
        explainers,
        fills,
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
        Given,
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

__getattr__ = attributes_of(__name__)

__all__ = [
    "Attribution",
    "Explainer",
    "FilledMask",
    "Gates",
    "Given",
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
    "fills",
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
