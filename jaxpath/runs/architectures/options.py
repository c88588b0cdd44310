"""What a comparison of two architectures is asked for."""

import dataclasses
from pathlib import Path

from jaxpath.runs.options import AUTO, ClassifierOptions, DataOptions, GeneratorOptions
from jaxpath.runs.weights_options import WeightsOptions
from jaxpath.start_up import Launch

TRAINED = "gencnp"
"""The explainer that is trained for each of the two."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class ArchitectureComparison(DataOptions, Launch):
    """Explains the same images by two architectures, and measures what their pathways have in common.

    Attributes:
        models: Names of the two targets; one name twice compares two seeds.
        weights: The targets' weights, two files or hf://owner/name; by default they are trained here.
        out: Folder of the run; the same command continues a run that was stopped.
        eval_split: Split that is scored; auto takes test, else val. None, or auto where there is neither,
            holds out a share of the training images.
        images: Scores so many images, drawn at random; None takes all.
        image_size: Side of the square images that the targets take; None keeps that of the weights,
            or their own.
        explainer: gencnp, for which a generator is trained for each target, or the name of a baseline.
        density: Fraction of neurons to open; None: a generator's own for every image, or 0.1 for a baseline.
        boxes: A .csv of boxes around the objects of the scored images, a line each: path (the end of a
            picture's name), width and height of the picture, x0, y0, x1, y1. Says whether saliency points at
            the objects.
        show_images: The figure shows the images, and not only their saliency.
        seed: Of the first model's initialisation and order, of the images and all draws; the second model
            takes the next one.
    """

    models: tuple[str, str] = ("resnet18", "vgg11_bn")
    weights: tuple[str, str] | None = None
    out: Path = Path("runs/architectures")
    eval_split: str | None = AUTO
    eval_fraction: float = 0.1
    images: int | None = 1000
    image_size: int | None = None
    explainer: str = TRAINED
    density: float | None = None
    boxes: Path | None = None
    show_images: bool = True
    seed: int = 0
    loading: WeightsOptions = dataclasses.field(default_factory=WeightsOptions)
    classifier: ClassifierOptions = dataclasses.field(
        default_factory=lambda: ClassifierOptions(
            train_steps=200, train_batch_size=64, train_learning_rate=1e-3
        )
    )
    generator: GeneratorOptions = dataclasses.field(
        default_factory=lambda: GeneratorOptions(steps=300, augment="shift")
    )
