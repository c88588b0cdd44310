r"""Trains FLINT on CIFAR-10 by the published recipe: a ResNet-18 without norms and its interpreter.

    python experiments/flint_cifar10.py --data cifar10.npz --out runs/flint_cifar10

``--data`` holds train_images, train_labels, test_images and test_labels (uint8, 32 x 32 x 3). 25 epochs in
batches of 64; a GPU is needed for all 50,000 images. The random view is a crop after padding by two pixels,
without mirroring. ``--data digits --epochs 3`` is a smoke run.
"""

import dataclasses
import time
from pathlib import Path

import common
from flint_fitting import FlintOptions
from flint_joint import JointOptions, run_joint

from jaxpath import flint, targets


@dataclasses.dataclass(frozen=True)
class Options(JointOptions):
    """A run on CIFAR-10.

    Attributes:
        train_images: Further training images: a folder or a tar file of class folders.
        eval_split: Split that is scored.
    """

    out: Path = Path("runs/flint_cifar10")
    train_images: str | None = None
    eval_split: str = "test"
    flint: FlintOptions = dataclasses.field(default_factory=lambda: FlintOptions(augment="small_shift"))


def run(options: Options) -> None:
    """Data, training, report."""
    began = time.perf_counter()
    train, held_out = common.open_data(
        options.data, eval_split=options.eval_split, seed=options.seed, train_images=options.train_images
    )
    run_joint(
        options,
        targets.resnet18_normless,
        flint.CIFAR10,
        train=train,
        held_out=held_out,
        began=began,
        maximisation=flint.CIFAR10_MAXIMISATION,
    )


if __name__ == "__main__":
    common.main(run, Options, __doc__)
