r"""Trains a CIFAR ResNet of competing units and its rectified twin, and names their units.

    python experiments/discover_cifar10.py --data cifar10.npz --competitors 2 --out runs/discover_cifar10

    python experiments/discover_cifar10.py --data cifar10.npz --embeddings clip.npz --out runs/discover_words

``--data`` holds train_images, train_labels, test_images and test_labels (uint8, 32 x 32 x 3). 30 epochs;
a GPU is needed for all 50,000 images. ``--embeddings`` holds image_embeddings of the test images in their
order, text_embeddings and concepts; without it, units are named after the ten classes. ``--data digits
--model resnet8`` is a smoke run.
"""

import dataclasses
import time
from pathlib import Path

import common
import discover_outcome
from common import ClassifierOptions
from discover_outcome import Comparison


@dataclasses.dataclass(frozen=True)
class Options(common.Launch):
    """A run on CIFAR-10.

    Attributes:
        data: .npz file with training and test images, or another form that jaxpath.data.open_source takes.
        out: Folder of the run; the same command continues a run that was stopped.
        train_images: Further training images: a folder or a tar file of class folders.
        eval_split: Split that is scored.
        seed: Of initialisation, order and draws.
    """

    data: str
    out: Path = Path("runs/discover_cifar10")
    train_images: str | None = None
    eval_split: str = "test"
    seed: int = 0
    comparison: Comparison = dataclasses.field(default_factory=lambda: Comparison("resnet20", epochs=30))
    classifier: ClassifierOptions = dataclasses.field(
        default_factory=lambda: ClassifierOptions(
            optimizer="sgd",
            train_learning_rate=0.1,
            train_weight_decay=5e-4,
            train_augment="shift_flip",
        )
    )


def run(options: Options) -> None:
    """Both networks, their words, the results."""
    began = time.perf_counter()
    train, held_out = common.open_data(
        options.data, eval_split=options.eval_split, seed=options.seed, train_images=options.train_images
    )
    discover_outcome.compare(
        options.comparison,
        options.classifier,
        train,
        held_out,
        out=options.out,
        seed=options.seed,
        config=common.as_config(options),
        began=began,
    )


if __name__ == "__main__":
    common.main(run, Options, __doc__)
