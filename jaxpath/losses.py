"""Per-example losses, [B]: only the training step reduces."""

import jax
import jax.numpy as jnp
import optax
from jax import Array

_NEVER = -1e9
"""A logit whose class has the probability 0, and which is still finite."""


def kl_divergence(teacher: Array, student: Array, *, temperature: float = 1.0) -> Array:
    """T^2 KL(softmax(teacher / T) || softmax(student / T)) in nats, [B, K] logits -> [B].

    The factor T^2 keeps gradients of one size as T changes (Hinton et al. 2015, section 2).
    """
    log_p = jax.nn.log_softmax(teacher / temperature)
    log_q = jax.nn.log_softmax(student / temperature)
    return temperature**2 * optax.losses.kl_divergence_with_log_targets(log_q, log_p)


def cross_entropy(logits: Array, labels: Array, *, label_smoothing: float = 0.0) -> Array:
    """Cross-entropy in nats of logits [B, K] with integer labels [B] -> [B]."""
    target = optax.smooth_labels(jax.nn.one_hot(labels, logits.shape[-1]), label_smoothing)
    return optax.softmax_cross_entropy(logits, target)


def evidence_gain(clean: Array, masked: Array, classes: Array) -> Array:
    """How much a pathway raises the log-probability of ``classes``, at least 0, in nats.

    max(0, log softmax(masked)_c - log softmax(clean)_c): logits [B, K], classes [B] -> [B]. Our
    choice: the leakage term, applied to an image that does not show the class.
    """
    index = classes[:, None]
    before = jnp.take_along_axis(jax.nn.log_softmax(clean), index, axis=1)[:, 0]
    after = jnp.take_along_axis(jax.nn.log_softmax(masked), index, axis=1)[:, 0]
    return jax.nn.relu(after - before)


def rejection(logits: Array, classes: Array) -> Array:
    """-log(1 - softmax(logits)_c) in nats, of logits [B, K] and ``classes`` [B] -> [B].

    The cross-entropy of "any class but this one". Our choice: the leakage term under a budget, on an
    image that does not show the class.
    """
    is_class = jax.nn.one_hot(classes, logits.shape[-1], dtype=bool)
    others = jax.nn.logsumexp(jnp.where(is_class, -jnp.inf, logits), axis=-1)
    return jax.nn.logsumexp(logits, axis=-1) - others


def margin(logits: Array, classes: Array) -> Array:
    """How far ``classes`` are ahead of the best other class: logits [B, K], classes [B] -> [B]."""
    is_class = jax.nn.one_hot(classes, logits.shape[-1], dtype=bool)
    class_logits = jnp.where(is_class, logits, 0).sum(axis=-1)
    return class_logits - jnp.where(is_class, -jnp.inf, logits).max(axis=-1)


def of_two(logits: Array, classes: Array, against: Array) -> Array:
    """The same logits [B, K] as if there were two classes only, ``classes`` [B] and ``against`` [B].

    The second one's logit is 0 and the first one's the difference of the two, so that its probability is the
    sigmoid of that; those of all other classes are so low that their probability is 0.

    >>> of_two(jnp.array([[1.0, 5.0, 3.0]]), jnp.array([0]), jnp.array([2]))[0, ::2].tolist()
    [-2.0, 0.0]
    """
    other = jnp.take_along_axis(logits, against[:, None], axis=1)
    number = jnp.arange(logits.shape[-1])
    counted = (number[None] == classes[:, None]) | (number[None] == against[:, None])
    return jnp.where(counted, logits - other, _NEVER)
