"""Classifiers trained from scratch, for those who bring data and no weights."""

import contextlib
from typing import NamedTuple

import jax
import optax

from jaxpath import data, metrics, targets, training
from jaxpath.devices import check_batch_size, make_mesh
from jaxpath.finite import flags
from jaxpath.runs.options import ClassifierOptions
from jaxpath.runs.run import Run, names_of
from jaxpath.runs.schedules import warmup_cosine
from jaxpath.runs.study import open_session
from jaxpath.targets.objective import make_classifier_objective
from jaxpath.types import Batch, InputError, Params, Target

WEIGHTS = "weights.safetensors"
"""A trained classifier in the folder of its run, with torchvision's key names."""

_SCORED_AT_ONCE = 32
"""Images per device."""


def train_classifier(target: Target, source: data.Source, options: ClassifierOptions, *, run: Run) -> Params:
    """Trains ``target`` from scratch on ``source``; continues what the run's folder holds.

    Args:
        target: The classifier.
        source: The training images.
        options: How it is trained.
        run: Its folder, in which :data:`WEIGHTS` is left, seed and configuration.

    Returns:
        The trained parameters.

    Raises:
        InputError: The batch does not divide over the devices, or the folder holds another run.
    """
    run = run.decided_by(options, **names_of(target, source))
    mesh = make_mesh()
    check_batch_size(options.train_batch_size, mesh)
    optimizer = make_optimizer(options)
    variables = dict(target.init(jax.random.key(run.seed)))
    params = variables.pop("params")
    objective = make_classifier_objective(
        target,
        label_smoothing=options.label_smoothing,
        competition_weight=options.competition_weight,
    )
    state = training.create_state(params, optimizer, key=jax.random.key(run.seed + 1), extra=variables)
    batches = data.train_batches(
        source,
        batch_size=options.train_batch_size,
        preprocessing=target.preprocessing,
        seed=run.seed,
        augment=options.train_augment,
    )
    step = training.make_train_step(objective, optimizer, mesh)
    every = max(100, options.train_steps // 5)
    with run.storage(checkpoint_every=every) as storage, contextlib.closing(batches):
        result = training.fit(
            state,
            step,
            batches,
            {},
            num_steps=options.train_steps,
            mesh=mesh,
            storage=storage,
            title="target",
        )
    trained = {**result.state.extra, "params": result.state.params}
    if jax.process_index() == 0:
        targets.save_weights(target, trained, run.out / WEIGHTS, class_names=names_for(target, source))
    return trained


def names_for(target: Target, source: data.Source) -> tuple[str, ...]:
    """The names of the target's classes by the images that it learns from; empty if they do not name all."""
    names = tuple(source.class_names)
    return names if len(names) == target.num_classes else ()


def make_optimizer(options: ClassifierOptions) -> optax.GradientTransformation:
    """The optimizer that ``options`` describe."""
    schedule = warmup_cosine(options.train_learning_rate, options.train_steps)
    if options.optimizer == "adamw":
        return optax.adamw(schedule, weight_decay=options.train_weight_decay)
    return optax.chain(
        optax.add_decayed_weights(options.train_weight_decay),
        optax.sgd(schedule, momentum=0.9, nesterov=True),
    )


class Classified(NamedTuple):
    """What a classifier says of labelled images.

    Attributes:
        accuracy: Share that is classified correctly.
        warnings: That it is at chance, or nothing; see :func:`jaxpath.metrics.against_chance`.
    """

    accuracy: float
    warnings: list[str]


def classify(
    target: Target, params: Params, source: data.Source, *, batch_size: int | None = None
) -> Classified:
    """Classifies the images of ``source``.

    Args:
        target: The classifier.
        params: Its parameters.
        source: Labelled images.
        batch_size: Images at once over all devices; None takes 32 on each.

    Raises:
        InputError: An image has no label, or a logit is not finite.
    """

    def predict(params: Params, batch: Batch) -> dict[str, jax.Array]:
        logits = target.apply(params, batch["image"]).logits
        return {"predicted": logits.argmax(axis=-1), **flags(logits=logits)}

    size = _SCORED_AT_ONCE * jax.device_count() if batch_size is None else batch_size
    session = open_session(target, params, batch_size=size)
    passes = metrics.source_passes(session, source)
    results = metrics.per_image(predict, params, passes, mesh=session.mesh)
    predicted, labels = results["predicted"], results["labels"]
    if (labels < 0).any():
        raise InputError(
            f"{(labels < 0).sum()} of {len(labels)} images have no label, so that there is no accuracy; "
            "score labelled images"
        )
    warnings = metrics.chance_warnings(predicted, labels, target.num_classes, who=target.name)
    return Classified(metrics.agreement(predicted, labels), warnings)


def classifier_accuracy(
    target: Target, params: Params, source: data.Source, *, batch_size: int | None = None
) -> float:
    """Share of the images of ``source`` that ``target`` classifies correctly; see :func:`classify`."""
    return classify(target, params, source, batch_size=batch_size).accuracy
