"""Knowledge injection: losses on the score maps of one LAP site. All of them are our own design.

S are scores before the sigmoid [B, H, W, K], P = sigmoid(S), ``labels`` [B, K] is 1 for concepts that the
image shows. Losses are per image, [B]. Those of absence and presence are means over concepts of means over
images, so that rare concepts count as much as frequent ones: see :func:`per_concept`.
"""

import math

import jax
import jax.numpy as jnp
from jax import Array, lax

from jaxpath.layers import adaptive_average_pool

EPS = 1e-6


def absence(scores: Array) -> Array:
    """-log(1 - P), mean over pixels, [B, K]: all pixels of images without the concept are negatives."""
    return jax.nn.softplus(scores).mean(axis=(1, 2))


def presence(scores: Array, *, top: float = 0.05) -> Array:
    """-log of the mean of the largest ``top`` of the pixels of P, [B, K]; at least one pixel."""
    p = jax.nn.sigmoid(scores).reshape(scores.shape[0], -1, scores.shape[-1])
    count = max(1, math.ceil(top * p.shape[1]))
    best, _ = lax.top_k(jnp.moveaxis(p, 1, -1), count)
    return -jnp.log(best.mean(axis=-1) + EPS)


def absence_loss(
    scores: Array, labels: Array, weight: Array | None = None, *, axis_name: str | None = None
) -> Array:
    """:func:`absence` of the concepts that the images do not show, [B]; see :func:`per_concept`."""
    return per_concept(absence(scores), 1 - labels, weight, axis_name=axis_name)


def presence_loss(
    scores: Array,
    labels: Array,
    weight: Array | None = None,
    *,
    top: float = 0.05,
    axis_name: str | None = None,
) -> Array:
    """:func:`presence` of the concepts that the images show, [B]; see :func:`per_concept`."""
    return per_concept(presence(scores, top=top), labels, weight, axis_name=axis_name)


def per_concept(
    values: Array, members: Array, weight: Array | None = None, *, axis_name: str | None = None
) -> Array:
    """Values per image whose mean is the mean over concepts of the mean over each one's images.

    Args:
        values: [B, K].
        members: 0/1 [B, K], the images of each concept; one without images in the batch does not count.
        weight: [B], 0 for padding.
        axis_name: The devices that share the batch: images and concepts are counted over all of them.

    Returns:
        [B].
    """
    weight = jnp.ones(values.shape[0]) if weight is None else weight
    members = members * weight[:, None]
    counts, images = members.sum(axis=0), weight.sum()
    if axis_name is not None:
        counts, images = lax.psum((counts, images), axis_name)
    present = (counts > 0).sum()
    share = jnp.where(counts > 0, 1 / jnp.maximum(counts, 1), 0) / jnp.maximum(present, 1)
    return images * (values * members * share[None]).sum(axis=1)


def area_loss(scores: Array, labels: Array, *, smallest: float = 0.02, largest: float = 0.4) -> Array:
    """Squared distance of a shown concept's area (mean of P) from ``smallest`` to ``largest``, [B]."""
    area = jax.nn.sigmoid(scores).mean(axis=(1, 2))
    return over_shown(jax.nn.relu(smallest - area) ** 2 + jax.nn.relu(area - largest) ** 2, labels)


def region_loss(scores: Array, labels: Array, allowed: Array) -> Array:
    """Mean of P outside the ``allowed`` region [B, H', W'] of 0 and 1, over the shown concepts, [B]."""
    outside = 1 - resize_mask(allowed.astype(jnp.float32), scores.shape[1:3])
    return over_shown((jax.nn.sigmoid(scores) * outside[..., None]).mean(axis=(1, 2)), labels)


def annotation_loss(scores: Array, labels: Array, mask: Array, *, ignore: int = 255) -> Array:
    """Binary cross-entropy of P with a mask [B, H', W'] of 0, 1 and ``ignore``, over the shown concepts, [B].

    At a smaller map a pixel's truth is the mean of the known pixels that it covers; 0 where none is known.
    """
    known = (mask != ignore).astype(jnp.float32)
    inside = (mask == 1).astype(jnp.float32)
    share_known, share_inside = (resize_mask(m, scores.shape[1:3]) for m in (known, inside))
    truth = (share_inside / jnp.maximum(share_known, EPS))[..., None]
    counted = (share_known > 0).astype(jnp.float32)[..., None]
    # BCE of a logit: softplus(S) - y S.
    entropy = (jax.nn.softplus(scores) - truth * scores) * counted
    return over_shown(entropy.sum(axis=(1, 2)) / jnp.maximum(counted.sum(axis=(1, 2)), 1), labels)


def distinguishing_loss(
    kernel: Array, bias: Array, attended: Array, complement: Array, labels: Array, *, rest: float = 0.1
) -> Array:
    """The attended region suffices for its label and what it leaves out does not, [B]; one label per image.

    mean_k BCE(<V_k, Y_k> + b_k, y_k) + rest KL(uniform || softmax(V Yc + b)), Y_k what concept k attends to
    and Yc what the shown concept leaves out.

    Args:
        kernel: V, [C, K].
        bias: b, [K].
        attended: Y, [B, K, C].
        complement: [B, K, C].
        labels: [B, K], one 1 in each row.
        rest: Weight of the second term.
    """
    logits = jnp.einsum("bkc,ck->bk", attended, kernel) + bias[None]
    sufficient = (jax.nn.softplus(logits) - labels * logits).mean(axis=-1)
    left = jnp.einsum("bkc,bk->bc", complement, labels)
    logs = jax.nn.log_softmax(left @ kernel + bias[None])
    return sufficient + rest * (-logs.mean(axis=-1) - math.log(logs.shape[-1]))


def agreement_loss(pooled: Array, next_scores: Array, classes: Array) -> Array:
    """Mean distance of a site's pooled scores from the next site's scores, which stay as they are, [B].

    Compared concept by concept where both sites have as many, else for the concept of ``classes`` [B].

    Args:
        pooled: Q of one site, [B, H', W', K], in [0, 1].
        next_scores: S of the next one, [B, H'', W'', K or another number].
        classes: [B].
    """
    teacher = lax.stop_gradient(jax.nn.sigmoid(next_scores))
    if pooled.shape[-1] != teacher.shape[-1]:
        pooled, teacher = (_concept_of(values, classes) for values in (pooled, teacher))
    teacher = jax.image.resize(teacher, (*pooled.shape[:3], teacher.shape[-1]), "bilinear")
    return jnp.abs(pooled - teacher).mean(axis=(1, 2, 3))


def binary_loss(scores: Array) -> Array:
    """Mean of P (1 - P), [B]: 0 for crisp maps."""
    p = jax.nn.sigmoid(scores)
    return (p * (1 - p)).mean(axis=(1, 2, 3))


def over_shown(values: Array, labels: Array) -> Array:
    """Mean of [B, K] over the concepts that each image shows, [B]; 0 without any."""
    return (values * labels).sum(axis=-1) / jnp.maximum(labels.sum(axis=-1), 1)


def resize_mask(mask: Array, size: tuple[int, ...]) -> Array:
    """A mask [B, H, W] at another size: means of what a pixel covers, or at a larger one the nearest."""
    height, width = size
    if mask.shape[1] >= height and mask.shape[2] >= width:
        return adaptive_average_pool(mask[..., None], (height, width))[..., 0]
    return jax.image.resize(mask, (mask.shape[0], height, width), "nearest")


def _concept_of(values: Array, classes: Array) -> Array:
    """The concept of each image's class, kept as an axis of one."""
    if values.shape[-1] == 1:
        return values
    return jnp.take_along_axis(values, classes[:, None, None, None], axis=-1)
