"""Do the pixels that a map names carry the decision? Insertion, deletion, AOPC, and whether weights matter.

Everything takes maps [B, H, W] as they are, so that any explainer of pixels is judged alike. A map that holds
NaN or infinity is refused; where the function is compiled, what is said of it is NaN.
"""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jaxpath.finite import check, nan_unless
from jaxpath.metrics.faithfulness import probability
from jaxpath.metrics.records import InsertionDeletion
from jaxpath.metrics.sanity import make_anew, randomized_stages, spearman
from jaxpath.pathways import open_first, ranks
from jaxpath.types import Attribution, InputError, Params, Target

FRACTIONS = tuple(step / 100 for step in range(101))
"""Steps of one percent of the pixels."""


Predict = Callable[[Array], Array]
"""Normalised images [B, H, W, C] -> logits [B, K]."""


def pixel_insertion_deletion(
    predict: Predict,
    pixels: Array,
    maps: Array,
    classes: Array,
    *,
    baseline: Array,
    fractions: Sequence[float] = FRACTIONS,
) -> InsertionDeletion:
    """Probability of ``classes`` while the best pixels are shown or hidden (Petsiuk et al. 2018, RISE).

    To be compiled. Pixels of equal value go from left to right and from top to bottom.

    Args:
        predict: The classifier with its parameters; see :data:`Predict`.
        pixels: Normalised images [B, H, W, C].
        maps: [B, H, W].
        classes: [B].
        baseline: What hidden pixels look like, [B, H, W, C] or to be spread to it: :func:`blurred` images,
            or 0 for the mean colour.
        fractions: Shares of the pixels, rising.

    Returns:
        Curves [B, F] with their areas.
    """
    if maps.shape != pixels.shape[:3]:
        raise InputError(
            f"the maps have the shape {tuple(maps.shape)} and the images {tuple(pixels.shape)}; expected one "
            "value per pixel: enlarge the maps first"
        )
    order = _order(maps)
    baseline = jnp.broadcast_to(baseline, pixels.shape)

    def confidence(shown: Array) -> Array:
        shown = shown.reshape(*maps.shape, 1)
        return probability(predict(pixels * shown + baseline * (1 - shown)), classes)

    def both(step: Array) -> tuple[Array, Array]:
        opened = open_first(order, step)
        return nan_unless(maps, confidence(opened)), nan_unless(maps, confidence(1 - opened))

    steps = jnp.asarray(fractions, jnp.float32)
    inserted, deleted = lax.map(both, steps)
    return InsertionDeletion(steps, inserted.T, deleted.T)  # type: ignore[arg-type]


class Aopc(NamedTuple):
    """Area over the perturbation curve of each image (Samek et al. 2017, arXiv 1509.06321, equation 12).

    Attributes:
        most_relevant_first: Mean drop of the probability while the best pixels are hidden, [B]; high is good.
        least_relevant_first: The same from the other end, [B]; low is good.
    """

    most_relevant_first: Array
    least_relevant_first: Array


def aopc(curves: InsertionDeletion) -> Aopc:
    """AOPC from curves that begin with no pixel and end with all of them, in steps of one size."""
    deletion, insertion = jnp.asarray(curves.deletion), jnp.asarray(curves.insertion)
    # To hide the least relevant share f is to show the most relevant share 1 - f.
    return Aopc(
        (deletion[:, :1] - deletion).mean(axis=1), (insertion[:, -1:] - insertion[:, ::-1]).mean(axis=1)
    )


def keeps_class(
    predict: Predict,
    pixels: Array,
    maps: Array,
    classes: Array,
    *,
    share: float,
    baseline: Array,
) -> Array:
    """Whether ``classes`` are predicted from the best ``share`` of the pixels alone, [B] of 0 and 1."""
    shown = open_first(_order(maps), share).reshape(*maps.shape, 1)
    logits = predict(pixels * shown + jnp.broadcast_to(baseline, pixels.shape) * (1 - shown))
    check("logits", logits)
    kept = (logits.argmax(axis=-1) == classes).astype(jnp.float32)
    return nan_unless(maps, nan_unless(logits, kept))


def _order(maps: Array) -> Array:
    """Ranks of the pixels [B, H * W], the best first."""
    check("values of the maps", maps)
    return ranks(maps.reshape(len(maps), -1))


def blurred(pixels: Array, *, sigma: float = 5.0) -> Array:
    """Images [B, H, W, C] under a Gaussian of ``sigma`` pixels, whose weights sum to 1 at the border too."""

    def along(size: int) -> Array:
        distance = np.arange(size)[:, None] - np.arange(size)[None]
        weights = np.exp(-(distance**2) / (2 * sigma**2))
        return jnp.asarray(weights / weights.sum(axis=1, keepdims=True), jnp.float32)

    rows, columns = along(pixels.shape[1]), along(pixels.shape[2])
    return jnp.einsum("ih,jw,bhwc->bijc", rows, columns, pixels, precision="highest")


class RandomizedMaps(NamedTuple):
    """How much of the maps is left once the target is re-initialised down to a stage.

    Attributes:
        stage: The last stage that was re-initialised: "logits", or a site's name.
        share: Share of the parameters that are re-initialised by now.
        spearman: Rank correlation of each map with that of the trained target, [B]; NaN where all values tie.
    """

    stage: str
    share: float
    spearman: np.ndarray


def randomized_maps(
    target: Target,
    params: Params,
    attribute: Attribution,
    images: Array,
    labels: Array,
    *,
    key: Array,
) -> list[RandomizedMaps]:
    """Maps of the target while its layers are re-initialised from the classifier down.

    Adebayo et al. 2018, "Sanity Checks for Saliency Maps": what does not change does not explain the model.

    Args:
        target: The classifier.
        params: Its trained parameters.
        attribute: The explainer of pixels.
        images: [B, H, W, C].
        labels: [B].
        key: For ``attribute``, the same at every stage.

    Raises:
        InputError: A value of a map is not finite, or the target's ``init`` returns the trained parameters.
    """
    run = jax.jit(attribute)

    def rows(params: Params) -> Array:
        maps = run(params, images, labels, key=key)
        check("values of the maps", maps)
        return maps.reshape(len(images), -1)

    before, fresh = rows(params), make_anew(target, params, seed=0)
    return [
        RandomizedMaps(stage, share, np.asarray(spearman(before, rows(mixed))))
        for stage, share, mixed in randomized_stages(target, params, fresh, images[:1])
    ]
