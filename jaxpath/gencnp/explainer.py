"""A trained generator as an :class:`~jaxpath.types.Explainer`, like every baseline."""

import jax
from jax import Array

from jaxpath.gencnp.generator import Generator, generate
from jaxpath.pathways import flatten, top_fraction, unflatten
from jaxpath.types import Explainer, Params, Pathway, Target


def make_gencnp(
    target: Target, generator: Generator, generator_params: Params, *, density: float | None = None
) -> Explainer:
    """Explains by one clean forward of the target and one forward of the generator.

    The generator explains the target's own prediction: it ignores ``labels`` and ``key``.

    Args:
        target: The classifier that the generator was trained for.
        generator: The generator.
        generator_params: Its trained parameters.
        density: Fraction of neurons to open in every image; None opens those whose score is above 0.5,
            so that each image has its own density.

    Returns:
        An explainer whose scores lie in (0, 1).
    """

    def explain(params: Params, images: Array, labels: Array, *, key: Array) -> Pathway:
        del labels, key
        logits = generate(generator, generator_params, target.apply(params, images).features).logits
        scores = {site: jax.nn.sigmoid(value) for site, value in logits.items()}
        if density is None:
            masks = {site: (value > 0).astype(value.dtype) for site, value in logits.items()}
        else:
            opened = top_fraction(flatten(logits, target.sites), density)
            masks = unflatten(opened, target.sites, like=logits)
        return Pathway(scores, masks)

    return explain
