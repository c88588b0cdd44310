"""Why one class rather than another: any explainer of a logit, asked for the difference of two."""

from collections.abc import Callable
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from jaxpath import losses
from jaxpath.types import Explainer, Gates, InputError, Params, Pathway, Target, TargetOutput


class _TwoClasses(NamedTuple):
    """Parameters of a classifier that tells two classes apart, which differ from image to image."""

    params: Params
    classes: Array
    against: Array


def make_rival(target: Target, make: Callable[[Target], Explainer], *, against: int) -> Explainer:
    """Explains each image's class rather than ``against``: the score is the difference of their logits.

    The explainer is given a classifier of two classes, whose logits are z_c - z_against and 0. So one that
    follows a logit follows the difference, and one that follows a probability that of c among the two.

    Args:
        target: The classifier.
        make: ``make(target) -> Explainer``, such as a baseline's maker with its options.
        against: The other class.

    Raises:
        InputError: There is no such class.
    """
    if not 0 <= against < target.num_classes:
        raise InputError(
            f"the class {against} was named as the other one; expected 0 to {target.num_classes - 1}"
        )

    def apply(params: _TwoClasses, images: Array, gates: Gates | None = None, **options: Any) -> TargetOutput:
        output = target.apply(params.params, images, gates, **options)
        return output._replace(logits=losses.of_two(output.logits, params.classes, params.against))

    explain = make(target._replace(apply=apply))

    def rather(params: Params, images: Array, labels: Array, *, key: Array) -> Pathway:
        labels = jnp.asarray(labels)
        two = _TwoClasses(params, labels, jnp.full_like(labels, against))
        return explain(two, images, labels, key=key)  # type: ignore[arg-type]

    return rather
