"""Neural pathways: which neurons of a trained image classifier carry its decision, in JAX and Flax.

``jaxpath.report`` needs matplotlib and ``jaxpath.training.checkpoints`` Orbax: import them by name, like
``jaxpath.findings`` and ``jaxpath.cli``.
"""

from jaxpath import terminal

# Loading takes seconds.
terminal.load_quietly()

from jaxpath import (  # noqa: E402
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
from jaxpath.gating import Taps, gate  # noqa: E402
from jaxpath.types import (  # noqa: E402
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
