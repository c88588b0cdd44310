r"""Trains a CIFAR ResNet of competing units and its rectified twin, and names their units.

    python experiments/discover_cifar10.py --data cifar10.npz --competitors 2 --out runs/discover_cifar10

    python experiments/discover_cifar10.py --data cifar10.npz --embeddings clip.npz --out runs/discover_words

``--data`` holds train_images, train_labels, test_images and test_labels (uint8, 32 x 32 x 3). 30 epochs;
a GPU is needed for all 50,000 images. ``--embeddings`` holds image_embeddings of the test images in their
order, text_embeddings and concepts; without it, units are named after the ten classes. ``--data digits
--model resnet8`` is a smoke run.
"""

import dataclasses
from pathlib import Path

from jaxpath import runs


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options(runs.discover.PairRun):
    """A run on CIFAR-10."""

    eval_split: str | None = "test"
    out: Path = Path("runs/discover_cifar10")
    comparison: runs.discover.PairOptions = dataclasses.field(
        default_factory=lambda: runs.discover.PairOptions("resnet20", epochs=30)
    )
    classifier: runs.ClassifierOptions = dataclasses.field(
        default_factory=lambda: runs.ClassifierOptions(
            optimizer="sgd",
            train_learning_rate=0.1,
            train_weight_decay=5e-4,
            train_augment="shift_flip",
        )
    )


if __name__ == "__main__":
    runs.main(runs.discover.run_pair, Options, __doc__)
