"""Training a target, or the part of it behind a frozen trunk."""

from collections.abc import Callable, Mapping
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


class Trained(NamedTuple):
    """What a classifier that is being trained says of a batch.

    Attributes:
        logits: [B, K].
        kl: Of its competitions, [B], or [] without any; see :func:`competition_kl`.
        statistics: BatchNorm's running statistics after the batch, of what is trained.
    """

    logits: Array
    kl: Array
    statistics: dict[str, Any]


Forward = Callable[[Params, Params, Mapping[str, Array], Array], Trained]
"""``forward(trained, frozen, batch, keys)``; both parts of the parameters are nested dicts."""


def make_classifier_objective(
    target: Target,
    *,
    label_smoothing: float = 0.0,
    competition_weight: float = 0.0,
    forward: Forward | None = None,
) -> Objective:
    """Builds the cross-entropy objective that :func:`jaxpath.training.make_train_step` compiles.

    What is trained is ``params["params"]``; the rest of the target's parameters (BatchNorm's running
    statistics, averaged over the devices) is carried along as the step's ``extra``.

    Args:
        target: The classifier to train.
        label_smoothing: Share of the target distribution that is spread over all classes.
        competition_weight: Of :func:`competition_kl`, where units compete; 0 as DISCOVER's released code
            runs, 1e-6 as it is written there.
        forward: How it is run, such as with a frozen part; None trains all of it.
    """

    def whole(trained: Params, frozen: Params, batch: Mapping[str, Array], keys: Array) -> Trained:
        del frozen
        output, updated = target.train_apply(trained, batch["image"], key=keys, axis_name=AXIS)
        statistics = {name: value for name, value in updated.items() if name != "params"}
        return Trained(output.logits, competition_kl(output.records(Competition)), statistics)

    def objective(
        params: Params, extra: Mapping[str, Any], frozen: Any, batch: Mapping[str, Array], keys: Array
    ) -> tuple[Array, tuple[dict[str, Any], dict[str, Array]]]:
        run = forward or whole
        result = run({**extra, "params": params}, frozen, batch, keys)
        loss = losses.cross_entropy(result.logits, batch["label"], label_smoothing=label_smoothing)
        loss = loss + competition_weight * result.kl
        correct = (result.logits.argmax(axis=-1) == batch["label"]).astype(jnp.float32)
        return loss, (result.statistics, {"accuracy": correct})

    return objective
