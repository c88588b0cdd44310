"""Training a target from scratch, for users who bring no weights."""

from collections.abc import Mapping
from typing import Any, NamedTuple

import jax.numpy as jnp
from jax import Array

from jaxpath import losses
from jaxpath.devices.mesh import AXIS
from jaxpath.types import Competition, Objective, Params, Target


def competition_kl(competition: Mapping[str, Competition]) -> Array:
    """KL divergence of each example's competitions from equal odds, nats, [B]: means of sites, added up.

    The mean over blocks and positions is the official code's; an evidence bound would sum over them.
    """
    return sum(
        (site.kl.mean(axis=tuple(range(1, site.kl.ndim))) for site in competition.values()), jnp.zeros(())
    )


class ScheduleState(NamedTuple):
    """What an objective carries from step to step whose weights follow the step.

    Attributes:
        step: Number of steps done, int32 scalar.
        statistics: BatchNorm's running statistics of a target that is trained; ``{}`` otherwise.
    """

    step: Array
    statistics: Mapping[str, Any]


def init_schedule(statistics: Mapping[str, Any] | None = None) -> ScheduleState:
    """The state before the first step."""
    return ScheduleState(jnp.zeros((), jnp.int32), dict(statistics or {}))


def make_classifier_objective(
    target: Target, *, label_smoothing: float = 0.0, competition_weight: float = 0.0
) -> Objective:
    """Builds the cross-entropy objective that :func:`jaxpath.training.make_train_step` compiles.

    What is trained is ``params["params"]``; the rest of the target's parameters (BatchNorm's running
    statistics, averaged over the devices) is carried along as the step's ``extra``.

    Args:
        target: The classifier to train.
        label_smoothing: Share of the target distribution that is spread over all classes.
        competition_weight: Of :func:`competition_kl`, where units compete; 0 as DISCOVER's released code
            runs, 1e-6 as it is written there.
    """

    def objective(
        params: Params, extra: Mapping[str, Any], frozen: Any, batch: Mapping[str, Array], keys: Array
    ) -> tuple[Array, tuple[dict[str, Any], dict[str, Array]]]:
        del frozen
        variables = {**extra, "params": params}
        output, updated = target.train_apply(variables, batch["image"], key=keys, axis_name=AXIS)
        loss = losses.cross_entropy(output.logits, batch["label"], label_smoothing=label_smoothing)
        loss = loss + competition_weight * competition_kl(output.records(Competition))
        correct = (output.logits.argmax(axis=-1) == batch["label"]).astype(jnp.float32)
        statistics = {name: value for name, value in updated.items() if name != "params"}
        return loss, (statistics, {"accuracy": correct})

    return objective
