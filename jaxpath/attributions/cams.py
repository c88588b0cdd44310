"""Class activation maps: a site's channels, weighed by their gradients, and enlarged to the image's size."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
from jax import Array

from jaxpath.attributions.reach import patches_reach_logits
from jaxpath.attributions.scores import as_pixels
from jaxpath.explainers.scoring import logit_of
from jaxpath.places import grid_of, on_grid, place_axes, sites_in_image
from jaxpath.types import Attribution, FilledMask, InputError, Params, Target


def make_gradcam(target: Target, *, site: str | None = None) -> Attribution:
    """relu(sum_c A_c mean_ij g_c), g = d y_c / d A (Selvaraju et al. 2017, arXiv 1610.02391).

    Args:
        target: The classifier.
        site: Whose activations A are weighed; None: see :func:`last_spatial_site`. Of tokens, all are
            averaged over, and the map is that of the patches.
    """

    def weigh(activation: Array, gradient: Array) -> Array:
        return activation * gradient.mean(axis=place_axes(gradient.ndim), keepdims=True)

    return _make_cam(target, site, weigh)


def make_gradcam_pp(target: Target, *, site: str | None = None) -> Attribution:
    """Grad-CAM++ with exp(y_c) as the score (Chattopadhay et al. 2018, arXiv 1710.11063, equation 19).

    A channel's weight is sum_ij relu(g_ij) g_ij^2 / (2 g_ij^2 + g_ij^3 sum_ab A_ab). The arguments are those
    of :func:`make_gradcam`.
    """

    def weigh(activation: Array, gradient: Array) -> Array:
        square = gradient**2
        places = place_axes(gradient.ndim)
        below = 2 * square + activation.sum(axis=places, keepdims=True) * gradient**3
        share = jnp.where(below != 0, square / jnp.where(below != 0, below, 1), 0)
        return activation * (share * jax.nn.relu(gradient)).sum(axis=places, keepdims=True)

    return _make_cam(target, site, weigh)


def make_layercam(target: Target, *, site: str | None = None) -> Attribution:
    """relu(sum_c A_c relu(g_c)), pixel by pixel (Jiang et al. 2021, LayerCAM, equation 7).

    The arguments are those of :func:`make_gradcam`.
    """
    return _make_cam(target, site, lambda activation, gradient: activation * jax.nn.relu(gradient))


def activation_gradient(
    target: Target, params: Params, images: Array, labels: Array, site: str
) -> tuple[Array, Array]:
    """The activation of ``site`` and d y_c / d activation, both of its shape.

    The activation is put in place of itself by a gate that is closed and filled.
    """
    activation = target.apply(params, images).features[site]
    closed = jnp.zeros((1, activation.shape[-1]))

    def score(value: Array) -> Array:
        logits = target.apply(params, images, {site: FilledMask(closed, value)}).logits
        return logit_of(logits, labels).sum()

    return activation, jax.grad(score)(activation)


def last_spatial_site(target: Target) -> str:
    """The name of the last site with more than one place in the image: a map, or patches among tokens.

    Sites whose patches reach no logit are passed over, as those behind the last attention of a transformer
    that reads its logits off a class token.

    Raises:
        InputError: The target has none.
    """
    spatial = sites_in_image(target.sites)
    if not spatial:
        raise InputError(
            f"{target.name} has no site with space, which is more than one place in the image; class "
            "activation maps need one"
        )
    return next((s.name for s in reversed(spatial) if patches_reach_logits(target, s)), spatial[-1].name)


def upsample(maps: Array, size: tuple[int, int]) -> Array:
    """Maps [B, h, w] enlarged to [B, *size], bilinear."""
    return jax.image.resize(maps, (maps.shape[0], *size), "bilinear")


def _make_cam(target: Target, site: str | None, weigh: Callable[[Array, Array], Array]) -> Attribution:
    name = last_spatial_site(target) if site is None else site
    spatial = {s.name: s for s in target.sites if grid_of(s)}
    if name not in spatial:
        raise InputError(f"{name!r} is no site of {target.name} with space; choose among {list(spatial)}")

    def attribute(params: Params, images: Array, labels: Array, *, key: Array) -> Array:
        del key
        pixels = as_pixels(target, images)
        activation, gradient = activation_gradient(target, params, pixels, labels, name)
        weighed = weigh(activation.astype(jnp.float32), gradient.astype(jnp.float32))
        summed = on_grid(weighed.sum(axis=-1, keepdims=True), spatial[name])[..., 0]
        return upsample(jax.nn.relu(summed), (pixels.shape[1], pixels.shape[2]))

    return attribute
