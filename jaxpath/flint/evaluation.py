"""What an interpreter says of a data set, and how well and how briefly it says it."""

from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array

from jaxpath.finite import flags
from jaxpath.flint.interpreter import Interpreter, interpret
from jaxpath.flint.relevance import TAUS, absolute_conciseness, conciseness, contributions
from jaxpath.metrics import Passes, Session, agreement, per_image
from jaxpath.types import Params

_MOST = 5
"""Classes within which the target's counts as named: top-5 fidelity."""

_DEAD = 0.1
"""Global relevance below which an attribute is not shown on MNIST (official code)."""


class Interpretations(NamedTuple):
    """What target and interpreter say of every image of a data set, in its order; on the host.

    Attributes:
        indices: int [N_images], place in the data set.
        labels: int [N_images].
        predicted: int [N_images], the target's class.
        guessed: int [N_images], the interpreter's class; where it is another, flag the image instead of
            explaining it.
        among_top: bool [N_images], whether the target's class is among the interpreter's five first.
        attributes: [N_images, J].
    """

    indices: np.ndarray
    labels: np.ndarray
    predicted: np.ndarray
    guessed: np.ndarray
    among_top: np.ndarray
    attributes: np.ndarray


def interpret_all(
    session: Session, interpreter: Interpreter, params: Params, passes: Passes
) -> Interpretations:
    """Interprets every image; target and interpreter are in evaluation mode.

    Args:
        session: The classifier.
        interpreter: Its interpreter.
        params: The interpreter's parameters.
        passes: The data set.

    Raises:
        InputError: Logits or attributes of an image are not finite.
    """
    target = session.target

    def run(params: Any, batch: Any) -> dict[str, Array]:
        target_params, interpreter_params = params
        clean = target.apply(target_params, batch["image"])
        output = interpret(interpreter, interpreter_params, clean.features)
        predicted = clean.logits.argmax(axis=-1)
        _, first = jax.lax.top_k(output.logits, min(_MOST, target.num_classes))
        return {
            "predicted": predicted,
            "guessed": output.logits.argmax(axis=-1),
            "among_top": (first == predicted[:, None]).any(axis=-1),
            "attributes": output.attributes,
            **flags(logits=clean.logits, logits_of_the_interpreter=output.logits),
        }

    return Interpretations(**per_image(run, (session.params, params), passes, mesh=session.mesh))


def evaluate(interpretations: Interpretations, kernel: Array | np.ndarray) -> dict[str, float]:
    """Accuracies, fidelity and conciseness on a data set.

    Args:
        interpretations: From :func:`interpret_all`.
        kernel: [J, K], from :func:`~jaxpath.flint.interpreter.head_kernel`.

    Returns:
        ``target_accuracy, interpreter_accuracy, fidelity, top5_fidelity, flagged_share``; for each tau
        ``cns_TAU``, the mean number of attributes that carry a decision, and ``absolute_cns_TAU`` by the rule
        of the published notebook.
    """
    labels, predicted, guessed = interpretations.labels, interpretations.predicted, interpretations.guessed
    alpha = contributions(interpretations.attributes, kernel, guessed)
    fidelity = agreement(predicted, guessed)
    return {
        "target_accuracy": agreement(predicted, labels),
        "interpreter_accuracy": agreement(guessed, labels),
        "fidelity": fidelity,
        "top5_fidelity": float(interpretations.among_top.mean()),
        "flagged_share": 1 - fidelity,
        **{f"cns_{tau:g}": float(conciseness(alpha, tau=tau).mean()) for tau in TAUS},
        **{f"absolute_cns_{tau:g}": float(absolute_conciseness(alpha, tau=tau).mean()) for tau in TAUS},
    }


def dead_attributes(relevance: np.ndarray | Array, *, threshold: float = _DEAD) -> list[int]:
    """Numbers of the attributes whose global relevance [K, J] is below ``threshold`` for every class.

    Our reading of "near zero for every class"; classes without images (NaN) have no say.
    """
    size = jnp.nan_to_num(jnp.abs(jnp.asarray(relevance)))
    return np.flatnonzero(np.asarray(size.max(axis=0)) < threshold).tolist()
