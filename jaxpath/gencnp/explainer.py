"""A trained generator as an :class:`~jaxpath.types.Explainer`, like every baseline."""

import jax
import jax.numpy as jnp
from jax import Array, lax

from jaxpath import losses
from jaxpath.gating import fill_closed
from jaxpath.gencnp.daq import open_neurons
from jaxpath.gencnp.generator import Generator, generate, means_of
from jaxpath.gencnp.reading import read
from jaxpath.pathways import flatten, open_first, ranks, unflatten
from jaxpath.types import Explainer, Params, Pathway, Target


def make_gencnp(
    target: Target, generator: Generator, generator_params: Params, *, density: float | None = None
) -> Explainer:
    """Explains by one clean forward of the target and one forward of the generator.

    The generator explains the target's own prediction: it ignores ``labels`` and ``key``. One that was
    trained with a budget is asked at several densities, a masked forward each for every ablation that it is
    tried with: the pathway is the least permissive mask that still carries the decision under all of them,
    the one under which the class wins by least; where it wins under none, that under which it loses by least.

    Args:
        target: The classifier that the generator was trained for.
        generator: The generator.
        generator_params: Its trained parameters.
        density: Fraction of neurons to open in every image; None tries the generator's cuts, and without
            any opens the neurons whose score is above 0.5: each image has its own density.

    Returns:
        An explainer whose scores lie in (0, 1).

    >>> from jaxpath import gencnp, targets
    >>> target, key = targets.resnet8(image_size=8, channels=1), jax.random.key(0)
    >>> params, images = jax.eval_shape(target.init, key), jnp.zeros((2, 8, 8, 1))  # shapes alone
    >>> _, reading = jax.eval_shape(lambda params: gencnp.read(target, params, images), params)
    >>> generator = gencnp.Generator(target.sites, target.num_classes, width=32)
    >>> trained = jax.eval_shape(generator.init, key, reading)
    >>> def explain(trained, params):
    ...     return make_gencnp(target, generator, trained, density=0.1)(params, images, None, key=key)
    >>> jax.eval_shape(explain, trained, params).masks["003.layer2.0.relu1"].shape
    (2, 32)
    """

    def explain(params: Params, images: Array, labels: Array, *, key: Array) -> Pathway:
        del labels, key
        clean, reading = read(target, params, images, slopes=generator.taylor)
        logits = generate(generator, generator_params, reading).logits
        scores = {site: jax.nn.sigmoid(value) for site, value in logits.items()}
        if density is None and not generator.cuts:
            return Pathway(scores, {site: open_neurons(value) for site, value in scores.items()})
        order = ranks(flatten(logits, target.sites))

        def masks_at(density: Array | float) -> dict[str, Array]:
            return unflatten(open_first(order, density), target.sites, like=logits)

        if density is not None or len(generator.cuts) == 1:
            return Pathway(scores, masks_at(generator.cuts[0] if density is None else density))
        cuts = jnp.asarray(generator.cuts)
        classes = clean.logits.argmax(axis=-1)
        means = means_of(generator_params, target.sites) if "mean" in generator.tried_with else None

        def worst_margin(cut: Array) -> Array:
            masks = masks_at(cut)
            gates = [fill_closed(masks, {"zero": None, "mean": means}[name]) for name in generator.tried_with]
            return jnp.stack(
                [losses.margin(target.apply(params, images, closed).logits, classes) for closed in gates]
            ).min(axis=0)

        # One after another: memory holds one masked forward, however many cuts there are.
        margins = lax.map(worst_margin, cuts)
        return Pathway(scores, masks_at(cuts[least_permissive(margins)]))

    return explain


def least_permissive(margins: Array) -> Array:
    """Which of several masks to take, by the class's margin under each: [M, B] -> [B] int.

    The smallest margin above 0; the largest where none is.

    >>> least_permissive(jnp.array([[-3.0, -1.0], [2.0, -2.0], [0.5, -4.0]])).tolist()
    [2, 0]
    """
    kept = jnp.where(margins > 0, -margins, -jnp.inf)
    return jnp.where((margins > 0).any(axis=0), kept.argmax(axis=0), margins.argmax(axis=0))
