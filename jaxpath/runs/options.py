"""What every training is asked for: arguments in Python, flags on the command line."""

import dataclasses
from typing import Literal

from jaxpath.runs.objective_options import ObjectiveFlags
from jaxpath.runs.start_options import StartOptions
from jaxpath.runs.stopping import StoppingOptions

AUTO = "auto"
"""Scores what the data set has for that: test, else val, else a share of the training images."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class DataOptions:
    """The images to learn from and those to score.

    Attributes:
        data: digits, npz:FILE, folder:PATH, tar:FILE, tfds:NAME, or a path alone.
        data_dir: Where TFDS data sets are prepared.
        train_split: Split to learn from; None takes train, or everything if a share of it is held out.
        train_images: Further images to learn from: a folder or a tar file of class folders.
        eval_split: Split that is scored; auto takes test, else val. None, or auto where there is neither,
            holds out a share of the training images.
        eval_fraction: Share that is held out without an eval split, drawn by the seed.
        ignore_exif: Takes pictures as they are stored, as torchvision's readers do, and not turned as their
            cameras were held.
    """

    data: str
    data_dir: str | None = None
    train_split: str | None = None
    train_images: str | None = None
    eval_split: str | None = None
    eval_fraction: float = 0.2
    ignore_exif: bool = False


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
        start: Weights to begin with, and what of them stays.
    """

    train_steps: int = 300
    train_batch_size: int = 128
    train_learning_rate: float = 3e-3
    optimizer: Literal["adamw", "sgd"] = "adamw"
    train_weight_decay: float = 1e-3
    label_smoothing: float = 0.0
    train_augment: str = "shift"
    competition_weight: float = 0.0
    start: StartOptions = dataclasses.field(default_factory=StartOptions)


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
        taylor: Add Taylor scores of closing each channel to 0 and to its mean, with learned gains; one
            backward pass of the target more.
        granularity: One gate per channel or per unit.
        precision: Type in which target and generator compute; parameters stay float32.
        checkpoint_every: Steps between two checkpoints.
        checkpoints: Folder of the checkpoints, or gs://BUCKET/FOLDER; all processes need the same. None
            takes checkpoints/ in the run's folder.
        num_workers: Processes that read images; 0 uses threads.
        skip_unreadable: Pass over files that are no images, and count them.
        class_pathway_images: Training images from which class pathways are learned; 0 learns none.
        init_generator: Folder of the run of another generator, or its file, to begin with: its parts that fit
            by name and shape are taken, the others drawn.
        stopping: When training ends before its last step.
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
    taylor: bool = False
    granularity: Literal["channel", "unit"] = "channel"
    precision: Literal["float32", "bfloat16"] = "float32"
    checkpoint_every: int = 100
    checkpoints: str | None = None
    num_workers: int = 0
    skip_unreadable: bool = False
    class_pathway_images: int = 1000
    init_generator: str | None = None
    stopping: StoppingOptions = dataclasses.field(default_factory=StoppingOptions)
    objective: ObjectiveFlags = dataclasses.field(default_factory=ObjectiveFlags)
