"""What the experiments share before there is a result: the command line, options, batches, training."""

import dataclasses
import json
from collections.abc import Callable
from typing import Any, Literal, TypeVar

import jax

from jaxpath import data, metrics, training
from jaxpath.cli import launching
from jaxpath.cli.launching import say as say
from jaxpath.runs.objective_options import ObjectiveFlags
from jaxpath.types import InputError, Target

Options = TypeVar("Options", bound="Launch")
_FREE = (
    *("out", "checkpoints", "checkpoint_every", "num_workers"),
    *("coordinator", "num_processes", "process_id"),
    *("maximised_pairs", "maximised_variation"),
    *("variants", "seeds"),
)
"""Options that may change when a run is continued: they do not touch its result."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class Launch:
    """How several processes find each other where no cluster tells them; start the same command on each.

    Attributes:
        coordinator: HOST:PORT of process 0.
        num_processes: Number of processes.
        process_id: Number of this process, from 0.
    """

    coordinator: str | None = None
    num_processes: int | None = None
    process_id: int | None = None


@dataclasses.dataclass(frozen=True)
class ClassifierOptions:
    """How a classifier is trained.

    Attributes:
        train_steps: Number of steps.
        train_batch_size: Images per step, over all devices.
        train_learning_rate: Peak; it warms up over a tenth of the steps and falls by a cosine to 0.
        optimizer: SGD with Nesterov momentum 0.9, or AdamW.
        train_weight_decay: Decoupled for AdamW, added to the gradient for SGD.
        label_smoothing: Share of the target distribution spread over all classes.
        train_augment: Random view of each image: none, shift, shift_flip or crop_flip.
        competition_weight: Of the KL divergence of competing units from equal odds; 0 leaves it out.
    """

    train_steps: int = 300
    train_batch_size: int = 128
    train_learning_rate: float = 3e-3
    optimizer: Literal["adamw", "sgd"] = "adamw"
    train_weight_decay: float = 1e-3
    label_smoothing: float = 0.0
    train_augment: str = "shift"
    competition_weight: float = 0.0


@dataclasses.dataclass(frozen=True)
class GeneratorOptions:
    """How a generator is built and trained.

    Attributes:
        steps: Number of steps.
        batch_size: Images per step, over all devices.
        learning_rate: Peak; it warms up over a tenth of the steps and falls by a cosine to 0.
        weight_decay: AdamW's.
        augment: Random view of each image: none, shift, shift_flip or crop_flip.
        width: Width of the generator's embeddings.
        grid: Feature maps are averaged to grid x grid before anything else.
        initial_logit: Score logit of every neuron at the start.
        recursive: Embedders and decoders read their neighbour.
        distill: Condense all embeddings before decoding.
        decoder_sees: What a decoder reads beside its neighbour.
        class_conditional: Tell the decoders which class it is whose pathway they predict.
        modulate: Let a decoder weigh the channels' mean activations.
        granularity: One gate per channel or per unit.
        precision: Type in which target and generator compute; parameters stay float32.
        checkpoint_every: Steps between two checkpoints.
        checkpoints: Folder of the checkpoints, or gs://BUCKET/FOLDER; all processes need the same. None
            takes checkpoints/ in the run's folder.
        num_workers: Processes that read images; 0 uses threads.
        skip_unreadable: Pass over files that are no images, and count them.
        class_pathway_images: Training images from which class pathways are learned; 0 learns none.
    """

    steps: int = 1500
    batch_size: int = 64
    learning_rate: float = 1e-3
    weight_decay: float = 1e-4
    augment: str = "none"
    width: int = 128
    grid: int = 2
    initial_logit: float = 2.0
    recursive: bool = True
    distill: bool = True
    decoder_sees: Literal["both", "distilled", "embedding"] = "both"
    class_conditional: bool = True
    modulate: bool = True
    granularity: Literal["channel", "unit"] = "channel"
    precision: Literal["float32", "bfloat16"] = "float32"
    checkpoint_every: int = 100
    checkpoints: str | None = None
    num_workers: int = 0
    skip_unreadable: bool = False
    class_pathway_images: int = 1000
    objective: ObjectiveFlags = dataclasses.field(default_factory=ObjectiveFlags)


def command(run: Callable[[Options], None], options: type[Options], description: str) -> launching.Command:
    """An experiment as something to start: its processes find each other first."""

    def start(parsed: Options) -> None:
        training.start_processes(parsed.coordinator, parsed.num_processes, parsed.process_id)
        run(parsed)

    return launching.Command(options, start, description)


def main(run: Callable[[Options], None], options: type[Options], description: str) -> None:
    """Reads the command line and runs; a user's mistake is one line on stderr and exit status 2."""
    launching.start(command(run, options, description))


def as_config(options: Any, **more: Any) -> dict[str, Any]:
    """What decides a run's result, as JSON's types."""

    def recorded(options: Any) -> dict[str, Any]:
        if isinstance(options, ObjectiveFlags):
            return options.recorded()
        values = {field.name: getattr(options, field.name) for field in dataclasses.fields(options)}
        return {
            name: recorded(value) if dataclasses.is_dataclass(value) else value
            for name, value in values.items()
            if name not in _FREE
        }

    return json.loads(json.dumps({**recorded(options), **more}, default=str))


def target_options(source: data.Source, *, image_size: int | None = None) -> dict[str, Any]:
    """Keywords of a target's maker that follow the data: classes, colour channels and small input sizes."""
    image = source[0]["image"]
    chosen: dict[str, Any] = {"num_classes": source.num_classes}
    if not isinstance(image, bytes):
        chosen["channels"] = image.shape[-1]
        if image.shape[0] < 64:
            chosen["image_size"] = image.shape[:2]
    if image_size is not None:
        chosen["image_size"] = image_size
    return chosen


def open_data(
    spec: str,
    *,
    eval_split: str | None,
    seed: int,
    data_dir: str | None = None,
    train_split: str | None = None,
    eval_fraction: float = 0.1,
    train_images: str | None = None,
) -> tuple[data.Source, data.Source]:
    """The images to learn from and those to score.

    Args:
        spec: The data set, as :func:`jaxpath.data.open_source` takes it.
        eval_split: Split that is scored; None holds out a share of the training images.
        seed: Of the held-out share.
        data_dir: Where TFDS data sets are prepared.
        train_split: Split to learn from; None takes train, or everything if a share of it is held out.
        eval_fraction: The share that is held out.
        train_images: Further images to learn from, as ``spec``; none of them is held out.

    Raises:
        InputError: A data set or split cannot be opened, or ``eval_fraction`` is no share.
    """
    if eval_split is not None:
        # By name: digits that are asked for no split are all digits, those to be scored among them.
        train = data.open_source(spec, split=train_split or "train", data_dir=data_dir)
        held_out = data.open_source(spec, split=eval_split, data_dir=data_dir)
    elif 0 < eval_fraction < 1:
        everything = data.open_source(spec, split=train_split, data_dir=data_dir)
        train, held_out = data.split(everything, eval_fraction, seed)
    else:
        raise InputError(
            f"--eval-fraction is {eval_fraction}; expected a share between 0 and 1, or name a split to score "
            "with --eval-split"
        )
    if train_images is not None:
        train = data.concatenate([train, data.open_source(train_images)])
    return train, held_out


def check_data(target: Target, *sources: data.Source) -> None:
    """Raises an error unless every label is one of the target's classes: before training, not after it."""
    for source in sources:
        data.check_labels(source, target.num_classes)


def train_batches(
    source: data.Source,
    target: Target,
    *,
    batch_size: int,
    seed: int,
    augment: str,
    num_workers: int = 0,
    skip_unreadable: bool = False,
) -> data.Batches:
    """Endless batches of this process for training ``target``."""
    return data.train_batches(
        source,
        batch_size=batch_size,
        preprocessing=target.preprocessing,
        seed=seed,
        augment=augment,
        num_workers=num_workers,
        skip_unreadable=skip_unreadable,
        process_index=jax.process_index(),
        process_count=jax.process_count(),
    )


def eval_passes(
    source: data.Source,
    target: Target,
    *,
    batch_size: int,
    num_workers: int = 0,
    skip_unreadable: bool = False,
) -> metrics.Batches:
    """Starts one pass over ``source`` per call, in its order."""

    def start() -> data.Batches:
        return data.eval_batches(
            source,
            batch_size=batch_size,
            preprocessing=target.preprocessing,
            num_workers=num_workers,
            skip_unreadable=skip_unreadable,
            process_index=jax.process_index(),
            process_count=jax.process_count(),
        )

    return start
