"""Per-example losses, [B]: only the training step reduces."""

import jax
import jax.numpy as jnp
from jax import Array


def kl_divergence(teacher: Array, student: Array, *, temperature: float = 1.0) -> Array:
    """T^2 KL(softmax(teacher / T) || softmax(student / T)) in nats, [B, K] logits -> [B].

    The factor T^2 keeps gradients of one size as T changes (Hinton et al. 2015, section 2).
    """
    log_p = jax.nn.log_softmax(teacher / temperature)
    log_q = jax.nn.log_softmax(student / temperature)
    return temperature**2 * (jnp.exp(log_p) * (log_p - log_q)).sum(axis=-1)


def cross_entropy(logits: Array, labels: Array, *, label_smoothing: float = 0.0) -> Array:
    """Cross-entropy in nats of logits [B, K] with integer labels [B] -> [B]."""
    num_classes = logits.shape[-1]
    target = jax.nn.one_hot(labels, num_classes) * (1 - label_smoothing) + label_smoothing / num_classes
    return -(target * jax.nn.log_softmax(logits)).sum(axis=-1)


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
    shown = jax.nn.one_hot(classes, logits.shape[-1], dtype=bool)
    others = jax.nn.logsumexp(jnp.where(shown, -jnp.inf, logits), axis=-1)
    return jax.nn.logsumexp(logits, axis=-1) - others


def margin(logits: Array, classes: Array) -> Array:
    """How far ``classes`` are ahead of the best other class: logits [B, K], classes [B] -> [B]."""
    shown = jax.nn.one_hot(classes, logits.shape[-1], dtype=bool)
    own = jnp.where(shown, logits, 0).sum(axis=-1)
    return own - jnp.where(shown, -jnp.inf, logits).max(axis=-1)
