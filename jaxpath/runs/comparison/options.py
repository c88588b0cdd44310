"""What a comparison of explainers is asked for."""

import dataclasses
from pathlib import Path
from typing import Literal

from jaxpath import explainers, metrics
from jaxpath.fills import ABLATIONS, Ablation
from jaxpath.runs.weights_options import WeightsOptions
from jaxpath.start_up import Launch


@dataclasses.dataclass(frozen=True)
class Comparison(Launch):
    """Compares explainers of one classifier on the same images at the same densities.

    Attributes:
        data: digits, npz:FILE, folder:PATH, tar:FILE, tfds:NAME, or a path alone.
        weights: The target's weights: .safetensors, .pth, or hf://owner/name; None takes those of --target.
        out: Folder of the results.
        model: Name of the target.
        num_classes: Classes of the target; None takes those of the data.
        image_size: Side of the square images that the target takes; None keeps that of the weights, or
            its own.
        data_dir: Where TFDS data sets are prepared.
        eval_split: Split that is scored; None takes everything.
        eval_fraction: Scores only the share that a training with the same seed holds out; None takes all.
        images: Scores so many images, drawn at random; None takes all.
        ignore_exif: Takes pictures as they are stored, as torchvision's readers do, and not turned as their
            cameras were held.
        search_images: Of these, how many the slow explainers take.
        trial_images: Of the images of each explainer, how many are put under each other's pathways, and under
            other ablations than the first, drawn at random; None takes all.
        explainers: Names of the baselines.
        generators: Trained generators as NAME:FILE; files of one name are runs with different seeds.
        refine_steps: Steps of per-image search from the scores of the first generator of each name; 0 leaves
            it out.
        densities: Fractions of neurons to open.
        granularity: One gate per channel or per unit; generators must have been trained for it.
        ablation: What a closed neuron is set to: 0 (zero), its mean over the images (mean), or what an image
            of another class has there (interchange); both scores the same pathways
            under the first two, all under each.
        references: Data with the pictures whose means and activations closed neurons take, and against which
            contrastive searches; None takes --data.
        references_split: Split of it. Without either they are the scored images themselves, and contrastive
            has seen what it is scored on.
        boxes: A .csv of boxes around the objects, a line each: path (the end of a picture's name), width
            and height of the picture, x0, y0, x1, y1; says whether pathways depend on the object.
        timed_batches: Batch sizes at which the time per image is measured; none leaves it out.
        memory: Bytes of activations per device that one batch may take.
        seed: Of explainers that draw, of the images that are drawn, of those of other classes, and of the
            held-out share.
    """

    data: str
    weights: str | None = None
    out: Path = Path("runs/compare")
    model: str = "resnet18"
    num_classes: int | None = None
    image_size: int | None = None
    data_dir: str | None = None
    eval_split: str | None = None
    eval_fraction: float | None = None
    images: int | None = None
    ignore_exif: bool = False
    search_images: int = 100
    trial_images: int | None = None
    explainers: tuple[str, ...] = explainers.names()
    generators: tuple[str, ...] = ()
    refine_steps: int = 30
    densities: tuple[float, ...] = metrics.DENSITIES
    granularity: Literal["channel", "unit"] = "channel"
    ablation: Ablation | Literal["both", "all"] = "both"
    references: str | None = None
    references_split: str | None = None
    boxes: Path | None = None
    timed_batches: tuple[int, ...] = (1, 64)
    memory: int = 2**30
    seed: int = 0
    loading: WeightsOptions = dataclasses.field(default_factory=WeightsOptions)

    @property
    def ablations(self) -> tuple[Ablation, ...]:
        """Those that are asked for."""
        if self.ablation == "both":
            return ("zero", "mean")
        return ABLATIONS if self.ablation == "all" else (self.ablation,)
