"""How much of their confidence images keep, on average over densities: one number by which to compare."""

from collections.abc import Callable, Sequence
from typing import Any

import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jaxpath.devices import collect, make_eval_step, replicate
from jaxpath.finite import flags
from jaxpath.metrics.explaining import explain_batch
from jaxpath.metrics.faithfulness import probability
from jaxpath.metrics.passes import name_of
from jaxpath.metrics.session import MakeExplainer, Passes, Session
from jaxpath.pathways import flatten, open_first, ranks, unflatten
from jaxpath.types import Batch

SPARSE = (0.05, 0.1, 0.2, 0.4)
"""Densities at which pathways are of use."""


def make_kept_confidence(
    session: Session,
    make: MakeExplainer,
    passes: Passes,
    *,
    densities: Sequence[float] = SPARSE,
    seed: int = 0,
) -> Callable[[Any], float]:
    """A measure of an explainer's parameters, compiled once, that does not depend on how they are trained.

    Args:
        session: The classifier.
        make: The explainer, whose parameters change.
        passes: The images.
        densities: At which each image's scores are cut.
        seed: Of explainers that draw at random.

    Returns:
        ``measure(explainer_params)``: the probability of an image's predicted class under its pathway, on
        average over the densities and the images; in [0, 1], high is good.
    """
    cuts, target = np.asarray(densities, np.float32), session.target

    def evaluate(explainer_params: Any, frozen: Any, batch: Batch) -> dict[str, Array]:
        params, fill = frozen
        explain = make(explainer_params)
        clean, pathway = explain_batch(target, params, explain, batch, seed=seed)
        predicted, scores = clean.logits.argmax(axis=-1), flatten(pathway.scores, target.sites)
        order = ranks(scores)

        def kept(density: Array) -> Array:
            masks = unflatten(open_first(order, density), target.sites, like=pathway.scores)
            gates = fill.close(masks, predicted, batch["index"])
            return probability(target.apply(params, batch["image"], gates).logits, predicted)

        return {"kept": lax.map(kept, jnp.asarray(cuts)).mean(axis=0), **flags(scores=scores)}

    step = make_eval_step(evaluate, session.mesh)
    frozen = replicate((session.params, session.fill), session.mesh)

    def measure(explainer_params: Any) -> float:
        found = replicate(explainer_params, session.mesh)
        results = collect(step, passes(), found, frozen, mesh=session.mesh, name=name_of(passes))
        return float(results["kept"].mean())

    return measure
