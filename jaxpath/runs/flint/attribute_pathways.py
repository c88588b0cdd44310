"""Which channels of the maps that are read carry each attribute, and what is left of it with these alone."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxpath import explainers, flint, metrics
from jaxpath.pathways import top_fraction
from jaxpath.runs.flint.sample import TrainingSample
from jaxpath.runs.flint.training import TrainedInterpreter
from jaxpath.runs.study import Study

PATHWAY_DENSITY = 0.25
"""Share of the channels of each map that a pathway opens."""

_IMAGES = 8
_MOST = 12


class AttributePathways(NamedTuple):
    """Pathways of the live attributes, the most relevant ones first.

    Attributes:
        frequencies: Attribute -> site -> share of its images whose pathway opens each channel, [C].
        keeps: What is left of an attribute, on average, when the maps' other channels are closed; NaN if no
            attribute lives.
        random_keeps: The same with as many channels drawn at random.
    """

    frequencies: dict[int, dict[str, np.ndarray]]
    keeps: float
    random_keeps: float


def attribute_pathways(
    study: Study, trained: TrainedInterpreter, sample: TrainingSample
) -> AttributePathways:
    """Pathways of the live attributes on the images that activate each most.

    Args:
        study: The classifier, with the parameters of ``trained``.
        trained: The interpreter.
        sample: The images; attributes that are relevant for none of their classes are left out.
    """
    live = _live_attributes(sample.relevance)
    if not live:
        return AttributePathways({}, float("nan"), float("nan"))
    run = _make_run(study, trained)
    size = metrics.fitting_batch_size(study.target, largest=_IMAGES)
    params = {"target": study.params, "interpreter": trained.params}
    frequencies, kept = {}, []
    for attribute in live:
        top = np.argsort(-sample.interpretations.attributes[:, attribute], kind="stable")[:_IMAGES]
        masks, shares = _in_parts(run, params, sample.images[top], np.full(len(top), attribute), size)
        frequencies[attribute] = {name: mask.mean(axis=0) for name, mask in masks.items()}
        kept.append(np.median(shares, axis=1))
    keeps, random_keeps = np.mean(kept, axis=0)
    return AttributePathways(frequencies, float(keeps), float(random_keeps))


def _in_parts(
    run: Callable[..., tuple[dict[str, Array], Array]],
    params: Any,
    images: np.ndarray,
    attributes: np.ndarray,
    size: int,
) -> tuple[dict[str, np.ndarray], np.ndarray]:
    """``run`` on so many images at a time."""
    parts = [
        jax.device_get(run(params, images[i : i + size], attributes[i : i + size]))
        for i in range(0, len(images), size)
    ]
    masks = {name: np.concatenate([part[0][name] for part in parts]) for name in parts[0][0]}
    return masks, np.concatenate([part[1] for part in parts], axis=1)


def _live_attributes(relevance: np.ndarray) -> list[int]:
    """The attributes that are relevant for a class, at most :data:`_MOST`, the most relevant one first."""
    dead = flint.dead_attributes(relevance)
    strength = np.nan_to_num(relevance).max(axis=0)
    return [int(attribute) for attribute in np.argsort(-strength) if attribute not in dead][:_MOST]


def _make_run(study: Study, trained: TrainedInterpreter) -> Callable[..., tuple[dict[str, Array], Array]]:
    """``run(params, images, attributes) -> (masks, shares [2, B])`` of the best and of random channels."""
    explained = flint.attribute_target(study.target, trained.interpreter)
    explain = explainers.make_explainer("taylor_signed", explained, density=1.0)
    chance = explainers.make_explainer("random", explained, density=1.0)
    sites = trained.interpreter.sites

    @jax.jit
    def run(params: Any, images: Array, attributes: Array) -> tuple[dict[str, Array], Array]:
        scores = explain(params, images, attributes, key=jax.random.key(0)).scores
        drawn = chance(params, images, attributes, key=jax.random.key(1)).scores
        best, random = (
            {site.name: top_fraction(values[site.name], PATHWAY_DENSITY) for site in sites}
            for values in (scores, drawn)
        )
        phi = (explained.apply(params, images, gates).logits for gates in (None, best, random))
        clean, *masked = (jnp.take_along_axis(values, attributes[:, None], axis=1)[:, 0] for values in phi)
        return best, jnp.stack(masked) / jnp.maximum(clean, 1e-6)[None]

    return run
