"""What the experiments share before there is a result: the command line, options, batches, training."""

import dataclasses
import json
import os
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal, TypeVar

import jax
import tyro

from jaxpath import data, gencnp, metrics, training
from jaxpath.types import InputError, Target

Options = TypeVar("Options", bound="Launch")
_FREE = (
    *("out", "checkpoints", "checkpoint_every", "num_workers"),
    *("coordinator", "num_processes", "process_id"),
    *("maximised_pairs", "maximised_variation"),
)
"""Options that may change when a run is continued: they do not touch its result."""

_SMALLEST = {
    **dict.fromkeys(("steps", "train_steps", "batch_size", "train_batch_size", "checkpoint_every"), 1),
    **dict.fromkeys(("width", "grid", "images", "search_images", "image_size", "num_classes", "memory"), 1),
    **dict.fromkeys(("seed", "num_workers", "class_pathway_images", "refine_steps", "warmup_steps"), 0),
    **dict.fromkeys(("faithfulness", "sparsity_weight", "class_weight", "leakage_weight", "dual_rate"), 0.0),
    **dict.fromkeys(("learning_rate", "train_learning_rate", "weight_decay", "train_weight_decay"), 0.0),
    **dict.fromkeys(("epochs", "random_density_share", "label_smoothing"), 0.0),
    **dict.fromkeys(("attributes", "relevance_images"), 1) | {"maximised_pairs": 0},
    **dict.fromkeys(("reconstruction_weight", "output_weight", "entropy_weight", "diversity"), 0.0),
    "maximised_variation": 0.0,
    **dict.fromkeys(("temperature", "min_density"), 1e-4),  # one divides, of the other a logarithm is taken
}
"""The smallest value that makes sense, for every option that is a number."""


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
    """

    train_steps: int = 300
    train_batch_size: int = 128
    train_learning_rate: float = 3e-3
    optimizer: Literal["adamw", "sgd"] = "adamw"
    train_weight_decay: float = 1e-3
    label_smoothing: float = 0.0
    train_augment: str = "shift"


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
    grid: int = 4
    initial_logit: float = 2.0
    recursive: bool = True
    distill: bool = True
    decoder_sees: Literal["both", "distilled", "embedding"] = "both"
    modulate: bool = True
    granularity: Literal["channel", "unit"] = "channel"
    precision: Literal["float32", "bfloat16"] = "float32"
    checkpoint_every: int = 100
    checkpoints: str | None = None
    num_workers: int = 0
    skip_unreadable: bool = False
    class_pathway_images: int = 1000
    objective: gencnp.ObjectiveOptions = dataclasses.field(default_factory=gencnp.ObjectiveOptions)


def keep_compiled_programs() -> None:
    """Lets a second start reuse compiled programs; ``JAX_COMPILATION_CACHE_DIR`` names another folder."""
    if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
        home = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
        jax.config.update("jax_compilation_cache_dir", str(home / "jaxpath" / "compiled"))


def main(run: Callable[[Options], None], options: type[Options], description: str) -> None:
    """Reads the command line and runs; a user's mistake is one line on stderr and exit status 2."""
    parsed = tyro.cli(options, description=description, config=(tyro.conf.OmitArgPrefixes,))
    keep_compiled_programs()
    try:
        check_options(parsed)
        training.start_processes(parsed.coordinator, parsed.num_processes, parsed.process_id)
        run(parsed)
    except InputError as error:
        _fail(error, 2)
    except training.TrainingDiverged as error:
        _fail(error, 1)
    except jax.errors.JaxRuntimeError as error:
        if jax.process_count() == 1:
            raise
        reason = (str(error).splitlines() or ["no reason given"])[0]
        _fail(
            f"a collective of the {jax.process_count()} processes failed ({reason[:200]}): probably another "
            "process has ended; start all of them again to continue from the last checkpoint",
            1,
        )


def check_options(options: Any) -> None:
    """Raises an error for the first number, here or in the options within, that makes no sense."""
    for field in dataclasses.fields(options):
        value = getattr(options, field.name)
        if dataclasses.is_dataclass(value):
            check_options(value)
        elif value is not None and field.name in _SMALLEST and value < _SMALLEST[field.name]:
            option = field.name.replace("_", "-")
            raise InputError(f"--{option} is {value}; expected {_SMALLEST[field.name]} or more")


def _fail(error: object, status: int) -> None:
    where = f" (process {jax.process_index()})" if jax.process_count() > 1 else ""
    print(f"error{where}: {error}", file=sys.stderr)
    training.end_process(status)


def say(message: str) -> None:
    """Prints one line of the run's story, on process 0 only."""
    if jax.process_index() == 0:
        print(message, flush=True)


def as_config(options: Any, **more: Any) -> dict[str, Any]:
    """What decides a run's result, as JSON's types."""

    def kept(values: Mapping[str, Any]) -> dict[str, Any]:
        return {
            name: kept(value) if isinstance(value, Mapping) else value
            for name, value in values.items()
            if name not in _FREE
        }

    return json.loads(json.dumps({**kept(dataclasses.asdict(options)), **more}, default=str))


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
