"""Explainers as the page needs them: of any density, and one that gives the pathway that a reader made."""

from collections.abc import Callable
from typing import Any

import jax.numpy as jnp
from jax import Array

from jaxpath import explainers
from jaxpath.cli.options import DENSITY
from jaxpath.metrics import Method
from jaxpath.pathways import unflatten
from jaxpath.types import Explainer, Params, Pathway, Target


def make_method(target: Target, name: str, against: int | None, seed: int) -> Method:
    """A baseline at the usual density: the page takes its scores."""

    def make(target: Target) -> Explainer:
        return explainers.make_explainer(name, target, density=DENSITY)

    explain = make(target) if against is None else explainers.make_rival(target, make, against=against)
    return Method.of(name, explain, seed=seed)


def by_hand(target: Target) -> Callable[[Any], Explainer]:
    """An explainer whose parameters are one pathway and its scores: one program for all of them."""

    def make(given: tuple[Array, Array]) -> Explainer:
        def explain(params: Params, images: Array, labels: Array, *, key: Array) -> Pathway:
            del params, labels, key
            mask, scores = (
                unflatten(jnp.broadcast_to(values, (len(images), *values.shape)), target.sites)
                for values in given
            )
            return Pathway(scores, mask)

        return explain

    return make
