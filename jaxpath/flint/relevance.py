"""Which attributes carry a decision: relevance for one image and for a class, and how few suffice.

Parekh et al. 2021, section 3. The class of a decision is the interpreter's (official code).
"""

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

TAUS = (1.5, 2.0, 2.5, 3.0, 4.0, 5.0)
"""Thresholds at which conciseness is published."""

AnyArray = Array | np.ndarray


def contributions(attributes: AnyArray, kernel: AnyArray, predicted: AnyArray) -> Array:
    """alpha_j = phi_j(x) w_{j,c}, what each attribute adds to the logit of the predicted class.

    Args:
        attributes: phi(x), [B, J].
        kernel: The linear layer's weights, [J, K]; its bias has no part in it.
        predicted: The interpreter's classes, int [B].

    Returns:
        [B, J].
    """
    return jnp.asarray(attributes) * jnp.asarray(kernel).T[jnp.asarray(predicted)]


def local_relevance(contribution: AnyArray) -> Array:
    """r_j = alpha_j / max_i |alpha_i| of each image, [B, J] -> [B, J] in [-1, 1]; 0 where all alpha are 0."""
    contribution = jnp.asarray(contribution)
    largest = jnp.abs(contribution).max(axis=-1, keepdims=True)
    return contribution / jnp.where(largest > 0, largest, 1)


def global_relevance(relevance: AnyArray, predicted: AnyArray, *, num_classes: int) -> Array:
    """r_{j,c}: mean relevance [B, J] over the images of each predicted class [B], [K, J]; NaN without any."""
    members = jax.nn.one_hot(jnp.asarray(predicted), num_classes)
    return members.T @ jnp.asarray(relevance) / members.sum(axis=0)[:, None]


def conciseness(contribution: AnyArray, *, tau: float) -> Array:
    """CNS: number of attributes with alpha_j > max_i alpha_i / tau, [B, J] -> [B]. Signed, as published."""
    contribution = jnp.asarray(contribution)
    return (contribution > contribution.max(axis=-1, keepdims=True) / tau).sum(axis=-1)


def absolute_conciseness(contribution: AnyArray, *, tau: float) -> Array:
    """The rule of the published notebook: |alpha_j| > max_i |alpha_i| / tau."""
    return conciseness(jnp.abs(jnp.asarray(contribution)), tau=tau)


def maximum_activating_samples(
    attributes: np.ndarray, labels: np.ndarray, *, num_classes: int, top: int = 3
) -> np.ndarray:
    """The images of each true class on which each attribute is largest (official code: three).

    Args:
        attributes: [N_images, J].
        labels: True classes, int [N_images].
        num_classes: K.
        top: Images of one class for one attribute.

    Returns:
        Places in ``attributes``, int [K, J, top], largest first; -1 where the class has fewer images.
    """
    places = np.full((num_classes, attributes.shape[1], top), -1)
    for label in np.unique(labels):
        members = np.flatnonzero(labels == label)
        order = members[np.argsort(-attributes[members], axis=0, kind="stable")[:top]]
        places[label, :, : len(order)] = order.T
    return places
