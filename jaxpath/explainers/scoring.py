"""What every baseline shares: gates side by side, their gradients, and the cut at a density."""

from collections.abc import Callable, Mapping
from typing import Literal

import jax
import jax.numpy as jnp
from jax import Array

from jaxpath.pathways import flatten, top_fraction, unflatten
from jaxpath.types import Explainer, InputError, Params, Pathway, Target

Granularity = Literal["channel", "unit"]

Scores = Callable[..., Array]
"""``(params, images, labels, *, key) -> [B, N]``, or [B, U] at unit granularity; higher is kept longer."""


class Gated:
    """A batch of images under gates that are one flat row per image.

    Args:
        target: The classifier.
        params: Its parameters.
        images: [B, H, W, C].
        granularity: One gate per channel, [B, N], or per unit, [B, U].
    """

    def __init__(self, target: Target, params: Params, images: Array, granularity: Granularity):
        self.target, self.params, self.images = target, params, images
        self.clean = target.apply(params, images)
        self._like = None if granularity == "channel" else self.clean.features

    def open(self) -> Array:
        """Gates of ones."""
        shapes = self.clean.features
        if self._like is not None:
            return jnp.ones_like(flatten(shapes, self.target.sites), jnp.float32)
        return jnp.ones((self.images.shape[0], sum(site.channels for site in self.target.sites)))

    def by_site(self, flat: Array) -> dict[str, Array]:
        """Flat rows as values by site."""
        return unflatten(flat, self.target.sites, self._like)

    def site_numbers(self) -> Array:
        """The position of the site to which each column belongs, int32 [N] or [U]."""
        values = self.by_site(self.open())
        return flatten(
            {s.name: jnp.full_like(values[s.name], i, jnp.int32) for i, s in enumerate(self.target.sites)},
            self.target.sites,
        )[0]

    def logits(self, gates: Array) -> Array:
        """Logits [B, K] under flat gates."""
        return self.target.apply(self.params, self.images, self.by_site(gates)).logits

    def gradient(self, gates: Array, labels: Array) -> Array:
        """Returns d y_c / d gate with y_c the logit of ``labels`` [B]; images do not mix.

        At gates of ones it is a_i dy_c/da_i, summed over space for a channel: the signed Taylor score.
        """
        return jax.grad(lambda g: logit_of(self.logits(g), labels).sum())(gates)


def logit_of(logits: Array, labels: Array) -> Array:
    """y_c of each image, [B, K] and [B] -> [B]."""
    return jnp.take_along_axis(logits, labels[:, None], axis=1)[:, 0]


def make_cut(
    target: Target, scores: Scores, *, density: float, granularity: Granularity = "channel"
) -> Explainer:
    """An explainer that opens the best-scored neurons of each image over all sites, at an exact density."""
    if not 0 <= density <= 1:
        raise InputError(f"the density is {density}; expected a fraction of open neurons from 0 to 1")
    if granularity not in ("channel", "unit"):
        raise InputError(f"the granularity is {granularity!r}; expected 'channel' or 'unit'")

    def explain(params: Params, images: Array, labels: Array, *, key: Array) -> Pathway:
        images, labels = jnp.asarray(images), jnp.asarray(labels)
        flat = scores(params, images, labels, key=key)
        like = None if granularity == "channel" else _shapes(target, params, images)
        masks = top_fraction(flat, density)
        return Pathway(unflatten(flat, target.sites, like), unflatten(masks, target.sites, like))

    return explain


def _shapes(target: Target, params: Params, images: Array) -> Mapping[str, Array]:
    return jax.eval_shape(target.apply, params, images).features
