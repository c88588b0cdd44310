"""Trains LAP nets: from scratch beside a plain one, and plugged into a trained classifier."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import fitting
import jax
import optax
from common import ClassifierOptions, say, train_batches

from jaxpath import data, lap, targets, training
from jaxpath.types import InputError, Params, Target


@dataclasses.dataclass(frozen=True)
class LossOptions:
    """Weights of LAP's terms.

    Attributes:
        absence_weight: Every pixel of an image without a class is a negative for it.
        presence_weight: Some pixels of an image are positive for its class.
        area_weight: Bounds on the area of the class's region.
        distinguishing_weight: What is attended suffices for the class, what is left out does not.
        agreement_weight: Consecutive maps agree.
        region_weight: No attention outside the known region, for the images that have one.
        annotation_weight: Cross-entropy with the known region, for the images that have one.
        binary_weight: Crisp maps.
    """

    absence_weight: float = 1.0
    presence_weight: float = 1.0
    area_weight: float = 0.5
    distinguishing_weight: float = 0.5
    agreement_weight: float = 0.1
    region_weight: float = 1.0
    annotation_weight: float = 1.0
    binary_weight: float = 0.05

    def as_weights(self) -> lap.LapWeights:
        """As the objective takes them."""
        values = dataclasses.asdict(self)
        return lap.LapWeights(**{name.removesuffix("_weight"): value for name, value in values.items()})


@dataclasses.dataclass(frozen=True)
class LapOptions:
    """How a LAP net is built and trained from scratch.

    Attributes:
        epochs: Passes over the training images, of the plain net as well.
        batch_size: Images per step, over all devices.
        learning_rate: Peak of Adam's; it warms up over a tenth of the steps and falls by a cosine to 0.
        alpha: Initial sharpness.
        score_bias: Initial score of every pixel, before the sigmoid; the lower, the less background is left.
        read_out: Each class reads what its own concept attends to, or all read the mean over concepts.
        knowledge_share: Share of the training images whose true box is known.
        checkpoint_every: Steps between two checkpoints.
        num_workers: Processes that read images; 0 uses threads.
    """

    epochs: float = 10
    batch_size: int = 100
    learning_rate: float = 3e-3
    alpha: float = 2.0
    score_bias: float = -9.0
    read_out: Literal["class", "merged"] = "class"
    knowledge_share: float = 0.0
    checkpoint_every: int = 500
    num_workers: int = 0
    loss: LossOptions = dataclasses.field(default_factory=lambda: LossOptions(binary_weight=0.2))

    def check(self) -> None:
        """Raises an error for an option that makes no sense."""
        if not 0 <= self.knowledge_share <= 1:
            raise InputError(f"--knowledge-share is {self.knowledge_share}; expected a share from 0 to 1")
        if self.epochs <= 0 or self.batch_size < 1:
            raise InputError(
                f"--epochs is {self.epochs} and --batch-size {self.batch_size}; expected more than 0 and at "
                "least 1"
            )


@dataclasses.dataclass(frozen=True)
class PlugInOptions:
    """How attention is put into a trained classifier.

    Attributes:
        sites: Places that attend; none takes the last three.
        head_epochs: Passes in which only score heads, sharpness and the distinguishing head learn.
        head_rate: Peak of Adam's learning rate in them.
        tune_epochs: Passes in which everything from the first attention on learns; with few images the net
            forgets what it knew. 0 leaves it frozen.
        tune_rate: Peak in them.
        batch_size: Images per step, over all devices.
        augment: Random view of each image: none, shift, shift_flip or crop_flip.
        checkpoint_every: Steps between two checkpoints.
        num_workers: Processes that read images; 0 uses threads.
    """

    sites: tuple[str, ...] = ()
    head_epochs: float = 3
    head_rate: float = 1e-3
    tune_epochs: float = 0
    tune_rate: float = 1e-4
    batch_size: int = 32
    augment: str = "none"
    checkpoint_every: int = 200
    num_workers: int = 0
    loss: LossOptions = dataclasses.field(default_factory=LossOptions)

    def stages(self) -> tuple[lap.Stage, ...]:
        """The stages that take any time."""
        heads, tune = lap.PLUG_IN
        chosen = (
            heads._replace(epochs=self.head_epochs, learning_rate=self.head_rate),
            tune._replace(epochs=self.tune_epochs, learning_rate=self.tune_rate),
        )
        return tuple(stage for stage in chosen if stage.epochs > 0)


class LapTrained(NamedTuple):
    """A LAP net and its parameters."""

    target: Target
    params: Params


def train_plain(
    target: Target, source: data.Source, options: LapOptions, *, out: Path, seed: int, config: Mapping
) -> Params:
    """The ordinary net, by the same number of steps of the same size and rate."""
    classifier = ClassifierOptions(
        train_steps=_num_steps(options.epochs, source, options.batch_size),
        train_batch_size=options.batch_size,
        train_learning_rate=options.learning_rate,
        train_weight_decay=0.0,
        train_augment="none",
    )
    return fitting.train_classifier(target, source, classifier, out=out, seed=seed, config=config)


def train_from_scratch(
    target: Target,
    source: data.Source,
    knowledge: lap.Knowledge,
    options: LapOptions,
    *,
    out: Path,
    seed: int,
    config: Mapping,
) -> LapTrained:
    """Trains ``target`` from :func:`jaxpath.lap.extend`; continues what ``out`` holds."""
    num_steps = _num_steps(options.epochs, source, options.batch_size)
    params, state = lap.init_training(target, target.init(jax.random.key(seed)), key=jax.random.key(seed + 1))
    weights_at = lap.ramped(options.loss.as_weights(), num_steps)
    result = _fit(
        target,
        (params, state),
        lap.make_objective(target, weights_at),
        lap.make_optimizer(
            _schedule(options.learning_rate, num_steps), target, params, "all", theta_rate=1.0
        ),
        source,
        knowledge,
        options,
        num_steps=num_steps,
        out=out,
        seed=seed,
        config=config,
        title="LAP",
    )
    return _saved(target, result.state.params, result.state.extra, out)


def plug_in(
    target: Target,
    trained: Params,
    source: data.Source,
    options: PlugInOptions,
    *,
    out: Path,
    seed: int,
    config: Mapping,
) -> LapTrained:
    """Fits attention to a trained net stage by stage, with its running statistics; continues ``out``."""
    params, state = lap.init_training(
        target, lap.keep_weights(target, trained, key=jax.random.key(seed)), key=jax.random.key(seed + 1)
    )
    weights = options.loss.as_weights()
    for number, stage in enumerate(options.stages()):
        num_steps = _num_steps(stage.epochs, source, options.batch_size)
        say(f"stage {number + 1}: {stage.trainable}, {num_steps} steps of {options.batch_size} images")
        own = weights._replace(classification=float(stage.classify))
        result = _fit(
            target,
            (params, state),
            lap.make_objective(
                target,
                lap.constant(own),
                statistics="frozen",
                labels=lap.trainable_labels(target, params, stage.trainable),
            ),
            lap.make_optimizer(_schedule(stage.learning_rate, num_steps), target, params, stage.trainable),
            source,
            lap.no_knowledge(),
            options,
            num_steps=num_steps,
            out=out / f"stage{number + 1}",
            seed=seed + number,
            config=config,
            title=stage.trainable,
            augment=options.augment,
        )
        params, state = result.state.params, result.state.extra
    return _saved(target, params, state, out)


def _fit(
    target: Target,
    start: tuple[Any, lap.LapState],
    objective: Any,
    optimizer: optax.GradientTransformation,
    source: data.Source,
    knowledge: lap.Knowledge,
    options: LapOptions | PlugInOptions,
    *,
    num_steps: int,
    out: Path,
    seed: int,
    config: Mapping,
    title: str,
    augment: str = "none",
) -> training.FitResult:
    mesh = training.make_mesh()
    training.check_batch_size(options.batch_size, mesh)
    params, state = start
    return fitting.fit(
        training.create_state(params, optimizer, key=jax.random.key(seed + 2), extra=state),
        training.make_train_step(objective, optimizer, mesh),
        train_batches(
            source,
            target,
            batch_size=options.batch_size,
            seed=seed,
            augment=augment,
            num_workers=options.num_workers,
        ),
        knowledge,
        num_steps=num_steps,
        mesh=mesh,
        out=out,
        config=config,
        checkpoint_every=options.checkpoint_every,
        title=title,
    )


def _saved(target: Target, params: Any, state: lap.LapState, out: Path) -> LapTrained:
    """Writes ``lap.safetensors``."""
    trained = lap.trained_params(params, state)
    if jax.process_index() == 0:
        targets.save_weights(target, trained, out / "lap.safetensors")
    return LapTrained(target, trained)


def _num_steps(epochs: float, source: data.Source, batch_size: int) -> int:
    return max(1, round(epochs * len(source) / batch_size))


def _schedule(peak: float, steps: int) -> optax.Schedule:
    return optax.warmup_cosine_decay_schedule(0.0, peak, max(1, steps // 10), max(2, steps))
