"""What is minimised: classifier and interpreter together, or the interpreter of a frozen classifier."""

from collections.abc import Callable, Mapping
from typing import Any, Literal

import jax
import jax.numpy as jnp
from jax import Array, lax

from jaxpath import losses as classifier_losses
from jaxpath.devices.mesh import AXIS
from jaxpath.flint import losses
from jaxpath.flint.interpreter import Interpreter, InterpreterOutput, interpret
from jaxpath.flint.recipes import LossWeights
from jaxpath.targets.linen import as_input
from jaxpath.targets.objective import ScheduleState
from jaxpath.types import Batch, Objective, Params, Target

HEAD_DROPOUT = 0.01
"""Rate of the dropout between the attributes and the linear layer (official code)."""

WeightsAt = Callable[[Array], LossWeights]
"""Step [], counted from 0 -> weights of the terms; :func:`~jaxpath.flint.recipes.by_step` makes one."""

Norm = Literal["l1", "l2"]


def make_objective(
    target: Target, interpreter: Interpreter, weights_at: WeightsAt, *, reconstruction: Norm = "l2"
) -> Objective:
    """Builds the objective of classifier and interpreter together (interpretable by design).

        w_p CE(z_f, y) + w_o L_of + w_r L_if + w_s mean |a| + w_e (mean_b E(|a_b|) - mu E(mean_b |a_b|))

    In the published order of the classifier's training, its dropout acts on what the attributes read. The
    gradient of L_of reaches the classifier through the attributes only: as their teacher it is detached.

    Returns:
        ``objective(params, extra, frozen, batch, keys) -> (losses [b], (extra, metrics))`` for
        :func:`jaxpath.training.make_train_step`: ``params`` is ``{"target": its "params" collection,
        "interpreter": ...}``, ``extra`` a :class:`ScheduleState`, ``frozen`` is not used.
    """

    def objective(
        params: Mapping[str, Params], extra: ScheduleState, frozen: Any, batch: Batch, keys: Array
    ) -> tuple[Array, tuple[ScheduleState, dict[str, Array]]]:
        del frozen
        weights = weights_at(extra.step)
        for_target, for_head = jax.vmap(jax.random.split)(keys).T
        variables = {**extra.statistics, "params": params["target"]}
        clean, updated = target.train_apply(variables, batch["image"], key=for_target, axis_name=AXIS)
        keep = _draw_keep(for_head, interpreter.num_attributes)
        output = interpret(interpreter, params["interpreter"], clean.features, keep)
        images = as_input(batch["image"], target.preprocessing, name=target.name)
        loss, metrics = flint_losses(weights, clean.logits, output, images, batch, reconstruction)
        prediction = classifier_losses.cross_entropy(clean.logits, batch["label"])
        statistics = {name: value for name, value in updated.items() if name != "params"}
        extra = ScheduleState(extra.step + 1, statistics)
        return weights.prediction * prediction + loss, (extra, {"prediction": prediction, **metrics})

    return objective


Forward = Callable[[Params, Params, Batch, Array], tuple[Array, InterpreterOutput]]
"""``forward(params, frozen, batch, keys)``: the target's logits [b, K], and what the interpreter says."""


def make_post_hoc_objective(
    target: Target,
    interpreter: Interpreter,
    weights_at: WeightsAt,
    *,
    reconstruction: Norm = "l2",
    forward: Forward | None = None,
) -> Objective:
    """Builds the objective of an interpreter for a frozen classifier: :func:`make_objective` without CE.

    The paper names this variant; how it is run is our reading, as no script is public. The classifier is in
    evaluation mode and nothing of it is trained.

    Args:
        target: The classifier.
        interpreter: The module that is trained.
        weights_at: Weights of the terms by step.
        reconstruction: Norm of the input fidelity.
        forward: How both are run, such as on what the classifier was found to say of each image; None runs
            the classifier on the batch's images, by :func:`run_post_hoc`.

    Returns:
        An objective as there: ``params`` are the interpreter's, ``frozen`` the target's.
    """

    def whole(params: Params, frozen: Params, batch: Batch, keys: Array) -> tuple[Array, InterpreterOutput]:
        return run_post_hoc(target, interpreter, params, frozen, batch["image"], keys)

    run = forward or whole

    def objective(
        params: Params, extra: ScheduleState, frozen: Params, batch: Batch, keys: Array
    ) -> tuple[Array, tuple[ScheduleState, dict[str, Array]]]:
        logits, output = run(params, frozen, batch, keys)
        images = as_input(batch["image"], target.preprocessing, name=target.name)
        loss, metrics = flint_losses(weights_at(extra.step), logits, output, images, batch, reconstruction)
        return loss, (extra._replace(step=extra.step + 1), metrics)

    return objective


def run_post_hoc(
    target: Target, interpreter: Interpreter, params: Params, frozen: Params, images: Array, keys: Array
) -> tuple[Array, InterpreterOutput]:
    """Logits [b, K] of a frozen target, and what its interpreter says while it is trained.

    Args:
        target: The classifier, in evaluation mode.
        interpreter: Its interpreter.
        params: The interpreter's.
        frozen: The target's.
        images: [b, H, W, C].
        keys: One for each image, of the dropout.
    """
    clean = lax.stop_gradient(target.apply(frozen, images))
    keep = _draw_keep(keys, interpreter.num_attributes)
    return clean.logits, interpret(interpreter, params, clean.features, keep)


def flint_losses(
    weights: LossWeights,
    logits: Array,
    output: InterpreterOutput,
    images: Array,
    batch: Batch,
    reconstruction: Norm = "l2",
    *,
    axis_name: str | None = AXIS,
) -> tuple[Array, dict[str, Array]]:
    """The interpreter's terms, [b], and metrics.

    The diversity belongs to the whole batch. It stands in the loss of every example: the mean over the
    batch is then the diversity itself.

    Args:
        weights: Of this step.
        logits: What the target says, [b, K].
        output: What the interpreter says.
        images: Normalised images [b, H, W, C].
        batch: For ``label`` and ``weight``.
        reconstruction: Norm of the input fidelity.
        axis_name: The devices that share the batch.
    """
    metrics = {
        "reconstruction": losses.input_fidelity(images, output.reconstruction, norm=reconstruction),
        "output": losses.output_fidelity(logits, output.logits),
        "sparsity": losses.sparsity(output.attributes),
        "concentration": losses.concentration(output.attributes),
        "diversity": losses.diversity(output.attributes, batch.get("weight"), axis_name=axis_name),
    }
    loss = (
        weights.reconstruction * metrics["reconstruction"]
        + weights.output * metrics["output"]
        + weights.sparsity * metrics["sparsity"]
        + weights.entropy * (metrics["concentration"] - weights.diversity * metrics["diversity"])
    )
    predicted, guessed = logits.argmax(axis=-1), output.logits.argmax(axis=-1)
    return loss, {
        **metrics,
        "accuracy": (predicted == batch["label"]).astype(jnp.float32),
        "interpreter_accuracy": (guessed == batch["label"]).astype(jnp.float32),
        "fidelity": (predicted == guessed).astype(jnp.float32),
    }


def _draw_keep(keys: Array, num_attributes: int) -> Array:
    """The dropout before the linear layer, [b, J]: 0 or 1 / (1 - rate)."""
    keep = jax.vmap(lambda key: jax.random.bernoulli(key, 1 - HEAD_DROPOUT, (num_attributes,)))(keys)
    return keep / (1 - HEAD_DROPOUT)
