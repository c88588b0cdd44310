"""How LAP nets are trained and their explanations scored."""

import dataclasses
from typing import Literal

from jaxpath import attributions, lap
from jaxpath.types import InputError


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
        head_classification_weight: Of the cross-entropy in them. Without it pools without a gate, such as the
            final one that the frozen classifier reads, keep their sharpness: it could cost decisions.
        views: Fixed views of each image, for which the frozen net is run once in these passes: heads then
            learn from the maps of the net with its gates closed. None runs it at each step.
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
    head_classification_weight: float = 0.0
    views: int | None = None
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
        both = (
            heads._replace(
                epochs=self.head_epochs,
                learning_rate=self.head_rate,
                classify=self.head_classification_weight,
                trainable="sharp_heads" if self.head_classification_weight else "heads",
            ),
            tune._replace(epochs=self.tune_epochs, learning_rate=self.tune_rate),
        )
        return tuple(stage for stage in both if stage.epochs > 0)


@dataclasses.dataclass(frozen=True)
class ScoreOptions:
    """How explanations are scored.

    Attributes:
        explainers: White-box explainers to compare with; none takes all.
        on_lap: Whether they explain the LAP net as well as the plain one.
        localised_images: Held-out images with boxes with which maps are compared; None takes all.
        curve_images: Held-out images on which pixels are inserted and deleted; 0 leaves that out.
        curve_steps: Steps of these curves.
        kept_share: Share of the pixels that is left for the accuracy on the best pixels.
        score_batch_size: Images at once, per device; of large ones fewer.
    """

    explainers: tuple[str, ...] = ()
    on_lap: bool = True
    localised_images: int | None = None
    curve_images: int = 200
    curve_steps: int = 20
    kept_share: float = 0.1
    score_batch_size: int = 50

    def check(self) -> None:
        """Raises an error for an option that makes no sense."""
        if unknown := sorted(set(self.explainers) - set(attributions.names())):
            raise InputError(f"--explainers names {unknown}; choose among {', '.join(attributions.names())}")
        if self.curve_steps < 1 or self.score_batch_size < 1 or not 0 < self.kept_share <= 1:
            raise InputError(
                f"--curve-steps is {self.curve_steps}, --score-batch-size {self.score_batch_size} and "
                f"--kept-share {self.kept_share}; expected at least 1, at least 1 and a share up to 1"
            )
