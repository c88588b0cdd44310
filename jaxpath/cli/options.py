"""Options that the commands share."""

import dataclasses
from pathlib import Path
from typing import Annotated, Literal

import tyro

from jaxpath.choices import Ablation
from jaxpath.errors import InputError
from jaxpath.explainers.baselines import BASELINES
from jaxpath.naming import look_for_data, look_for_names, look_for_weights
from jaxpath.registry import choose
from jaxpath.runs.weights_options import NO_CLASSIFIER, WeightsOptions

DENSITY = 0.2
"""Of the baselines, unless another is asked for: the smallest of the densities tried at which
``taylor_signed`` keeps the class of 99 % of images and nine tenths of its probability, on an ImageNet
ResNet-18, a CIFAR-10 ResNet-20 and a ResNet-8 for digits (docs/experiments.md)."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class TargetOptions:
    """The classifier to explain.

    Attributes:
        weights: Its weights: .safetensors, .pth, hf://owner/name, or the name of a network, such as resnet18,
            for published ones, which are downloaded; None takes those of --target.
        model: Its name, such as resnet18; None reads it from the weights.
        num_classes: Its number of classes; None reads it from the weights.
        image_size: Side of the square images that it takes; None takes that of the weights, or else the
            model's own (224, or 32 for the CIFAR ResNets).
        class_names: A .json list with one name per class, or imagenet, cifar10 or cifar100; None takes those
            of the weights or of the data, or numbers.
        ignore_exif: Takes pictures as they are stored, as torchvision's readers do, and not turned as their
            cameras were held.
    """

    weights: str | None = None
    model: str | None = None
    num_classes: int | None = None
    image_size: int | None = None
    class_names: Path | None = None
    ignore_exif: bool = False
    loading: WeightsOptions = dataclasses.field(default_factory=WeightsOptions)

    def __post_init__(self) -> None:
        """Raises an :class:`InputError` if no classifier is named, before anything is read."""
        if self.weights is None and self.loading.target is None:
            raise InputError(NO_CLASSIFIER)

    def check(self) -> None:
        """Raises an :class:`InputError` if two classifiers are named, or a file is not there."""
        if self.model is not None and self.loading.target is not None:
            raise InputError(
                f"--model {self.model} and --target {self.loading.target} name two classifiers; give one"
            )
        look_for_weights(self.weights)
        look_for_names(self.class_names, "--class-names")


@dataclasses.dataclass(frozen=True, kw_only=True)
class MethodOptions:
    """How pathways are found.

    Attributes:
        generator: A trained generator: the folder of a run, or its generator.safetensors.
        train_on: Trains a generator on this data set first, in the output folder: a folder of class
            folders, an .npz file, or another form that jaxpath.data.open_source takes.
        train_steps: Steps of that training.
        density: Share of channels to open; None takes 0.2, and with a generator each picture's own.
        ablation: What a closed channel is set to: 0 (zero), its mean (mean), what a picture of another class
            has there (interchange), or 0 and the mean side by side (both).
        batch_size: Images at a time; None chooses. Another number compiles other programs.
        seed: Random seed.
    """

    generator: Path | None = None
    train_on: str | None = None
    train_steps: int = 1000
    explainer: Annotated[
        str, tyro.conf.arg(help=f"Without a generator, the explainer: {', '.join(BASELINES)}.")
    ] = "taylor_signed"
    density: float | None = None
    ablation: Ablation | Literal["both"] = "both"
    batch_size: int | None = None
    seed: int = 0

    @property
    def ablations(self) -> tuple[Ablation, ...]:
        """Those that are asked for."""
        return ("zero", "mean") if self.ablation == "both" else (self.ablation,)

    def check(self) -> None:
        """Raises an :class:`InputError` if the options contradict each other, or something is not there."""
        if self.train_on is not None and self.generator is not None:
            raise InputError("--generator and --train-on were both given; train a generator or name one")
        if self.generator is not None and not self.generator.exists():
            raise InputError(
                f"there is no generator file {self.generator}; give the folder of a run, or its "
                "generator.safetensors"
            )
        if self.train_on is not None:
            look_for_data(self.train_on)
        choose(BASELINES, self.explainer, kind="explainer")
        if self.density is not None and not 0 <= self.density <= 1:
            raise InputError(
                f"the density is {self.density}; expected a fraction of open channels from 0 to 1"
            )

    def check_asked(self, option: str) -> None:
        """Raises an :class:`InputError` if a class cannot be asked for, as by ``option``."""
        if self.generator is not None or self.train_on is not None:
            raise InputError(
                f"{option} was given with a generator, which explains the predicted class only; leave "
                "--generator out, so that --explainer explains the class"
            )
        if not choose(BASELINES, self.explainer, kind="explainer").asks:
            able = ", ".join(name for name, baseline in BASELINES.items() if baseline.asks)
            raise InputError(
                f"{option} was given with --explainer {self.explainer}, which follows no class's logit; "
                f"choose one of {able}"
            )
