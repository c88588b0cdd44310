"""Classifiers trained from scratch, or behind a trunk that was trained before."""

import contextlib
from typing import NamedTuple

import jax
import optax
from flax.traverse_util import flatten_dict, unflatten_dict

from jaxpath import data, metrics, targets, training
from jaxpath.devices import check_batch_size, make_mesh
from jaxpath.finite import flags
from jaxpath.runs.heads import feed
from jaxpath.runs.options import ClassifierOptions
from jaxpath.runs.run import Run, names_of, say
from jaxpath.runs.schedules import warmup_cosine
from jaxpath.runs.study import images_at_once, open_session
from jaxpath.targets.objective import make_classifier_objective
from jaxpath.types import Batch, InputError, Params, Target

WEIGHTS = "weights.safetensors"
"""A trained classifier in the folder of its run, with torchvision's key names."""


def train_classifier(target: Target, source: data.Source, options: ClassifierOptions, *, run: Run) -> Params:
    """Trains ``target`` on ``source``; continues what the run's folder holds.

    It is trained from scratch, or from the weights that ``options.start`` names. What is frozen there is run
    as the frozen classifier, with BatchNorm's running statistics, and does not change; it takes no state of
    the optimizer. Where each image has fixed views, it is run once for each, and the run's folder keeps what
    the trained part reads.

    Args:
        target: The classifier.
        source: The training images.
        options: How it is trained, and what with.
        run: Its folder, in which :data:`WEIGHTS` is left, seed and configuration.

    Returns:
        The trained parameters, with those that were frozen.

    Raises:
        InputError: The batch does not divide over the devices, the folder holds another run, options
            contradict each other, or the weights to begin with do not fit.
    """
    options.start.check()
    run = run.decided_by(options, **names_of(target, source))
    mesh = make_mesh()
    check_batch_size(options.train_batch_size, mesh)
    partition = targets.partition_at(target, options.start.freeze)
    params = target.init(jax.random.key(run.seed))
    if options.start.init_from is not None:
        run = run.knowing(init_from_hash=targets.weights_hash(options.start.init_from))
        params = _begin_with(target, options.start.init_from, params)
    every = max(100, options.train_steps // 5)
    with run.storage(checkpoint_every=every) as storage:
        batches, forward = feed(target, params, source, options, partition=partition, run=run)
        trained, frozen = partition.separate(params)
        extra = {name: part for name, part in trained.items() if name != "params"}
        optimizer = make_optimizer(options, _trunk_of(target, options, trained["params"]))
        key = jax.random.key(run.seed + 1)
        state = training.create_state(trained["params"], optimizer, key=key, extra=extra)
        # The state has copies, and a VGG's head is half a gigabyte.
        del params, trained
        objective = make_classifier_objective(
            target,
            label_smoothing=options.label_smoothing,
            competition_weight=options.competition_weight,
            forward=forward,
        )
        with contextlib.closing(batches):
            result = training.fit(
                state,
                training.make_train_step(objective, optimizer, mesh),
                batches,
                frozen,
                num_steps=options.train_steps,
                mesh=mesh,
                storage=storage,
                title="target",
            )
    whole = targets.join_params(frozen, {**result.state.extra, "params": result.state.params})
    if jax.process_index() == 0:
        targets.save_weights(target, whole, run.out / WEIGHTS, class_names=names_for(target, source))
    return whole


def _begin_with(target: Target, path: str, drawn: Params) -> Params:
    """The parameters of a file, and the rest as it was drawn; says which is which."""
    initial = targets.load_initial(target, path, drawn=drawn)
    say(f"weights to begin with: {path}")
    if initial.missing:
        say(f"  drawn anew, as they are not in it: {', '.join(initial.missing)}")
    if initial.replaced:
        say(f"  drawn anew, as they have another shape in it: {', '.join(initial.replaced)}")
    return initial.params


def _trunk_of(target: Target, options: ClassifierOptions, trained: Params) -> Params | None:
    """For each trained array whether it is the trunk's; None if all have one learning rate."""
    if options.start.trunk_learning_rate is None:
        return None
    head = targets.head_places(target)
    places = {place: ("params", *place) not in head for place in flatten_dict(trained)}
    return unflatten_dict(places)


def names_for(target: Target, source: data.Source) -> tuple[str, ...]:
    """The names of the target's classes by the images that it learns from; empty if they do not name all."""
    names = tuple(source.class_names)
    return names if len(names) == target.num_classes else ()


def make_optimizer(options: ClassifierOptions, trunk: Params | None = None) -> optax.GradientTransformation:
    """The optimizer that ``options`` describe.

    Args:
        options: How a classifier is trained.
        trunk: For each array whether it takes the trunk's learning rate; None if none does.
    """
    if trunk is None or options.start.trunk_learning_rate is None:
        return _optimizer_at(options.train_learning_rate, options)
    rates = {False: options.train_learning_rate, True: options.start.trunk_learning_rate}
    parts = {part: _optimizer_at(rate, options) for part, rate in rates.items()}
    return optax.partition(parts, trunk)


def _optimizer_at(rate: float, options: ClassifierOptions) -> optax.GradientTransformation:
    schedule = warmup_cosine(rate, options.train_steps)
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
        batch_size: Images at once over all devices; None takes 32 on each, or fewer of large ones.

    Raises:
        InputError: An image has no label, or a logit is not finite.
    """

    def predict(params: Params, batch: Batch) -> dict[str, jax.Array]:
        logits = target.apply(params, batch["image"]).logits
        return {"predicted": logits.argmax(axis=-1), **flags(logits=logits)}

    size = images_at_once(target) if batch_size is None else batch_size
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
