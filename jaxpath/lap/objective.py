"""What is minimised when a LAP net learns, with whatever is known about where the evidence lies."""

from collections.abc import Callable, Mapping
from typing import Any, Literal, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jax import Array, lax

from jaxpath import losses as classifier_losses
from jaxpath.devices.mesh import AXIS
from jaxpath.lap import losses
from jaxpath.lap.nets import LapOutput, read
from jaxpath.metrics import boxes_to_masks
from jaxpath.targets.objective import ScheduleState, init_schedule
from jaxpath.types import Batch, InputError, Objective, Params, Target


class LapWeights(NamedTuple):
    """Weights of the terms; our choice.

    Attributes:
        classification: Cross-entropy of the logits.
        absence: Every pixel of an image without a concept is a negative.
        presence: Some pixels of an image with the concept are positive.
        area: Bounds on the area of a shown concept.
        distinguishing: What is attended suffices for the label, what is left out does not.
        agreement: Consecutive sites agree.
        region: No attention outside an allowed region, on the images that have one.
        annotation: Cross-entropy with a mask, on the images that have one.
        binary: Crisp maps.
    """

    classification: float | Array = 1.0
    absence: float | Array = 1.0
    presence: float | Array = 1.0
    area: float | Array = 0.5
    distinguishing: float | Array = 0.5
    agreement: float | Array = 0.1
    region: float | Array = 0.0
    annotation: float | Array = 0.0
    binary: float | Array = 0.05


WeightsAt = Callable[[Array], LapWeights]
"""Step [], counted from 0 -> weights; :func:`~jaxpath.lap.schedules.ramped` makes one."""


class Knowledge(NamedTuple):
    """Where some of the training images show their class; the ``frozen`` of the step.

    Attributes:
        masks: uint8 [M, H, W]: 1 in the region, 0 outside, 255 unknown.
        rows: int32 [N], the row of each training image's mask; -1 without one.
    """

    masks: np.ndarray | Array
    rows: np.ndarray | Array


def no_knowledge() -> Knowledge:
    """Image-level labels only."""
    return Knowledge(np.zeros((1, 1, 1), np.uint8), np.full(1, -1, np.int32))


def make_knowledge(masks: np.ndarray, share: float, *, seed: int) -> Knowledge:
    """Keeps the masks of a random ``share`` of the training images, at least one.

    Args:
        masks: 0/1 [N, H, W], in the order of the training images.
        share: From above 0 to 1.
        seed: Of the choice.
    """
    if not 0 < share <= 1:
        raise InputError(f"masks were to be kept for a share of {share}; expected more than 0 and at most 1")
    count = max(1, round(share * len(masks)))
    images = np.sort(np.random.default_rng(seed).permutation(len(masks))[:count])
    rows = np.full(len(masks), -1, np.int32)
    rows[images] = np.arange(count)
    return Knowledge(np.asarray(masks[images], np.uint8), rows)


def boxes_knowledge(boxes: np.ndarray, size: tuple[int, int], share: float, *, seed: int) -> Knowledge:
    """:func:`make_knowledge` of boxes [N, 4]: top, left, bottom, right, the last two exclusive."""
    return make_knowledge(np.asarray(boxes_to_masks(jnp.asarray(boxes), size)), share, seed=seed)


def init_training(target: Target, params: Params, *, key: Array) -> tuple[dict[str, Any], ScheduleState]:
    """What is trained, and the state before the first step.

    Returns:
        ``{"net": the target's "params" collection, "distinguish": a linear head on what is attended}``, and a
        :class:`ScheduleState`.
    """
    variables = dict(params)
    image = jnp.zeros((1, *target.preprocessing.shape), jnp.uint8)
    channels = jax.eval_shape(lambda: read(target.apply(params, image)).attended).shape[-1]
    kernel = jax.nn.initializers.lecun_normal()(key, (channels, target.num_classes))
    head = {"kernel": kernel, "bias": jnp.zeros(target.num_classes)}
    net = variables.pop("params")
    return {"net": net, "distinguish": head}, init_schedule(variables)


def trained_params(params: Mapping[str, Any], state: ScheduleState) -> Params:
    """The target's parameters from what was trained."""
    return {**state.statistics, "params": params["net"]}


Forward = Callable[[Mapping[str, Any], ScheduleState, Batch, Array], tuple[LapOutput, Params]]
"""``forward(params, extra, batch, keys)``: what the net says, and its parameters with new statistics."""


def make_objective(
    target: Target,
    weights_at: WeightsAt,
    *,
    statistics: Literal["batch", "frozen"] = "batch",
    labels: Params | None = None,
    forward: Forward | None = None,
) -> Objective:
    """Builds the objective of a LAP net, for :func:`jaxpath.training.make_train_step`.

    Args:
        target: From :func:`~jaxpath.lap.nets.extend`.
        weights_at: Weights of the terms by step.
        statistics: "batch" trains the net as usual; "frozen" runs it as it predicts, with BatchNorm's running
            statistics and without dropout, to fit attention to a trained net.
        labels: From :func:`~jaxpath.lap.schedules.trainable_labels`: what is "frozen" gets no gradient, and
            none is computed for it. None: everything is trained.
        forward: How the net is run, such as on what its frozen part was found to say of each image; None runs
            it on the batch's images.

    Returns:
        ``objective(params, extra, frozen, batch, keys) -> (losses [b], (extra, metrics))``, ``params`` and
        ``extra`` from :func:`init_training`, ``frozen`` a :class:`Knowledge`.
    """

    def whole(
        params: Mapping[str, Any], extra: ScheduleState, batch: Batch, keys: Array
    ) -> tuple[LapOutput, Params]:
        variables = trained_params(params, extra)
        if statistics == "frozen":
            return read(target.apply(variables, batch["image"])), variables
        output, updated = target.train_apply(variables, batch["image"], key=keys, axis_name=AXIS)
        return read(output), updated

    run = forward or whole

    def objective(
        params: Mapping[str, Any], extra: ScheduleState, frozen: Knowledge, batch: Batch, keys: Array
    ) -> tuple[Array, tuple[ScheduleState, dict[str, Array]]]:
        if labels is not None:
            params = jax.tree.map(
                lambda label, leaf: lax.stop_gradient(leaf) if label == "frozen" else leaf, labels, params
            )
        output, updated = run(params, extra, batch, keys)
        terms = lap_losses(
            output, params["distinguish"], batch, frozen, num_classes=target.num_classes, axis_name=AXIS
        )
        weights = weights_at(extra.step)
        loss = sum((getattr(weights, name) * value for name, value in terms.items()), jnp.zeros(()))
        correct = (output.logits.argmax(axis=-1) == batch["label"]).astype(jnp.float32)
        running = {name: value for name, value in updated.items() if name != "params"}
        return loss, (ScheduleState(extra.step + 1, running), {"accuracy": correct, **terms})

    return objective


def lap_losses(
    output: LapOutput,
    head: Mapping[str, Array],
    batch: Batch,
    knowledge: Knowledge,
    *,
    num_classes: int,
    axis_name: str | None = None,
) -> dict[str, Array]:
    """Every term of :class:`LapWeights`, [b], averaged over the LAP sites.

    The mean of "region" and "annotation" over the batch is that over the images that have a mask.

    Args:
        output: What the net says.
        head: ``kernel`` [C, K] and ``bias`` [K] of the distinguishing term.
        batch: ``label``, and ``index`` and ``weight`` if it has them.
        knowledge: Masks of some training images.
        num_classes: K.
        axis_name: The devices that share the batch.
    """
    classes, weight = batch["label"], batch.get("weight")
    labels = jax.nn.one_hot(classes, num_classes)
    known, masks = _masks_of(batch, knowledge)
    scores = list(output.scores.values())

    def mean_over_sites(loss: Callable[[Array, Array], Array]) -> Array:
        # A single concept belongs to all classes, so every image shows it.
        shown = [labels if s.shape[-1] == num_classes else jnp.ones((*classes.shape, 1)) for s in scores]
        return sum((loss(s, y) for s, y in zip(scores, shown, strict=True)), jnp.zeros(())) / len(scores)

    def mean_where_known(values: Array) -> Array:
        # Averages over masked images only, however few.
        return losses.per_concept(values[:, None], known[:, None], weight, axis_name=axis_name)

    pairs = list(zip(output.pooled_scores.values(), scores[1:], strict=False))
    agreement = [losses.agreement_loss(pooled, after, classes) for pooled, after in pairs]
    return {
        "classification": classifier_losses.cross_entropy(output.logits, classes),
        "absence": mean_over_sites(lambda s, y: losses.absence_loss(s, y, weight, axis_name=axis_name)),
        "presence": mean_over_sites(lambda s, y: losses.presence_loss(s, y, weight, axis_name=axis_name)),
        "area": mean_over_sites(losses.area_loss),
        "distinguishing": losses.distinguishing_loss(
            head["kernel"], head["bias"], *_as_concepts(output, num_classes), labels
        ),
        "agreement": sum(agreement, jnp.zeros(classes.shape)) / max(1, len(agreement)),
        "region": mean_where_known(mean_over_sites(lambda s, y: losses.region_loss(s, y, masks == 1))),
        "annotation": mean_where_known(mean_over_sites(lambda s, y: losses.annotation_loss(s, y, masks))),
        "binary": mean_over_sites(lambda s, _: losses.binary_loss(s)),
    }


def _as_concepts(output: LapOutput, num_classes: int) -> tuple[Array, Array]:
    """Attended and left-out features of each class, [b, K, C]; a single concept serves all classes."""
    parts = (output.attended, output.complement)
    attended, complement = (
        jnp.broadcast_to(part, (part.shape[0], num_classes, part.shape[-1])) for part in parts
    )
    return attended, complement


def _masks_of(batch: Batch, knowledge: Knowledge) -> tuple[Array, Array]:
    """Whether each image has a mask, [b], and its mask or zeros."""
    index = batch.get("index")
    rows = jnp.asarray(knowledge.rows)
    if index is None:
        row = jnp.full(batch["label"].shape, -1)
    else:
        row = jnp.where(
            (index >= 0) & (index < rows.shape[0]), rows[jnp.clip(index, 0, rows.shape[0] - 1)], -1
        )
    masks = jnp.asarray(knowledge.masks)[jnp.maximum(row, 0)]
    return (row >= 0).astype(jnp.float32), masks
