"""Inference by several draws of the competitions, and what is measured of them."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jaxpath.finite import check, flags
from jaxpath.metrics import Passes, Session, agreement, per_image
from jaxpath.types import Gates, InputError, Params, Target, TargetOutput


def average_logits(
    apply_fn: Callable[..., TargetOutput],
    params: Params,
    images: Array,
    *,
    key: Array,
    num_samples: int = 6,
) -> Array:
    """Mean of the logits over draws, [B, K]: the official inference, with 6 draws (DeiT) or 3 (ResNet).

    Args:
        apply_fn: A target's ``sample_apply``.
        params: Its parameters.
        images: [B, H, W, C].
        key: One random key, or one for each image [B].
        num_samples: Number of draws.
    """
    return running_logits(apply_fn, params, images, key=key, num_samples=num_samples)[-1]


def running_logits(
    apply_fn: Callable[..., TargetOutput],
    params: Params,
    images: Array,
    *,
    key: Array,
    num_samples: int = 6,
) -> Array:
    """Means of the logits over the first draw, the first two, and so on, [S, B, K].

    See :func:`average_logits`.
    """

    def draw(number: Array) -> Array:
        fold = jax.random.fold_in
        keys = jax.vmap(fold, in_axes=(0, None))(key, number) if key.ndim else fold(key, number)
        return apply_fn(params, images, key=keys).logits

    logits = lax.map(draw, jnp.arange(num_samples))
    return logits.cumsum(axis=0) / jnp.arange(1, num_samples + 1)[:, None, None]


def fix_draw(target: Target, key: Array) -> Target:
    """A target whose ``apply`` is one draw, with the same noise for every image: a function like any other.

    The likeliest winners of a network with BatchNorm can decide worse than drawn ones, because its
    statistics are those of draws. Then pathways are better computed on this target. Derivatives are the
    straight-through ones.

    Args:
        target: A target that draws.
        key: Of the draw.

    Raises:
        InputError: The target draws nothing.
    """
    if target.sample_apply is None:
        raise InputError(f"{target.name} draws nothing, so there is no draw to fix; take it as it is")
    sample_apply = target.sample_apply

    def apply(params: Params, images: Array, gates: Gates | None = None) -> TargetOutput:
        keys = jnp.broadcast_to(key, (len(images),))
        return sample_apply(params, images, gates, key=keys)

    return target._replace(apply=apply)


class Drawn(NamedTuple):
    """A target on a data set.

    Attributes:
        accuracy: Number of averaged draws -> accuracy; 0 stands for the deterministic network, which has the
            likeliest winners.
        predicted: The same -> predicted class of each image, int [N].
        labels: int [N].
        active_share: Share of all units of all sites that are not 0, in one draw.
        active_by_site: The same by site.
    """

    accuracy: dict[int, float]
    predicted: dict[int, np.ndarray]
    labels: np.ndarray
    active_share: float
    active_by_site: dict[str, float]


def evaluate_draws(
    session: Session, passes: Passes, *, seed: int, num_samples: Sequence[int] = (1, 3, 6)
) -> Drawn:
    """Accuracy of the deterministic network and of averaged draws, and the share of active units.

    Draws belong to an image's place in the data set. A target that draws nothing has the one accuracy.

    Args:
        session: The classifier.
        passes: The data set.
        seed: Of the draws.
        num_samples: Numbers of draws whose logits are averaged.
    """
    target = session.target
    samples = tuple(num_samples) if target.sample_apply is not None else ()

    def evaluate(params: Params, batch) -> dict[str, Array]:
        keys = jax.vmap(jax.random.fold_in, in_axes=(None, 0))(jax.random.key(seed), batch["index"])
        clean = target.apply(params, batch["image"])
        figures = {"0": clean.logits.argmax(axis=-1), **flags(logits=clean.logits)}
        drawn = clean
        if target.sample_apply is not None:
            apply_fn = target.sample_apply
            means = running_logits(apply_fn, params, batch["image"], key=keys, num_samples=max(samples))
            classes = means.argmax(axis=-1)
            figures |= {str(count): classes[count - 1] for count in samples}
            figures |= flags(logits_of_draws=jnp.moveaxis(means, 1, 0))
            drawn = apply_fn(params, batch["image"], key=keys)
        for name, feature in drawn.features.items():
            figures[name] = (feature != 0).mean(axis=tuple(range(1, feature.ndim)))
        return figures

    figures = per_image(evaluate, session.params, passes, mesh=session.mesh)
    units = {site.name: site.channels * int(np.prod(site.spatial or (1,))) for site in target.sites}
    shares = {name: float(figures[name].mean(dtype=np.float64)) for name in units}
    total = sum(shares[name] * count for name, count in units.items()) / sum(units.values())
    predicted, labels = {count: figures[str(count)] for count in (0, *samples)}, figures["labels"]
    accuracy = {count: agreement(classes, labels) for count, classes in predicted.items()}
    return Drawn(accuracy, predicted, labels, total, shares)


def class_purity(index: np.ndarray, acts: np.ndarray, labels: np.ndarray, *, top: int = 100) -> np.ndarray:
    """Share of each unit's ``top`` images that show the class it is named after, [K].

    Of images with equal activations, such as the zeros of a rectified unit, those that still have a place are
    drawn at random: what is returned is the mean over all draws, whatever the order of the images.

    Args:
        index: int [K], the classes after which the units are named.
        acts: [N, K].
        labels: int [N].
        top: Number of images.

    Raises:
        InputError: An activation is not finite.
    """
    acts = np.asarray(acts)
    check("activations", acts)
    last = np.partition(acts, -top, axis=0)[-top]
    shows = np.asarray(labels)[:, None] == np.asarray(index)
    above, equal = acts > last, acts == last
    places = top - above.sum(axis=0)
    return ((above & shows).sum(axis=0) + places * (equal & shows).sum(axis=0) / equal.sum(axis=0)) / top
