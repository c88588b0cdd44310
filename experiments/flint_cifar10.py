r"""Trains FLINT on CIFAR-10 by the published recipe: a ResNet-18 without norms and its interpreter.

    python experiments/flint_cifar10.py --data cifar10.npz --out runs/flint_cifar10

``--data`` holds train_images, train_labels, test_images and test_labels (uint8, 32 x 32 x 3). 25 epochs in
batches of 64; a GPU is needed for all 50,000 images. The random view is a crop after padding by two pixels,
without mirroring. ``--data digits --epochs 3`` shows that it runs, no more: ``flint_mnist.py`` learns digits.
"""

import dataclasses
from pathlib import Path

from jaxpath import runs


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options(runs.DataOptions, runs.flint.JointRun):
    """A run on CIFAR-10."""

    out: Path = Path("runs/flint_cifar10")
    eval_split: str | None = "test"
    flint: runs.flint.FlintOptions = dataclasses.field(
        default_factory=lambda: runs.flint.FlintOptions(augment="small_shift")
    )


def train_and_report(options: Options) -> None:
    """Data, training, report."""
    run = runs.begin(options)
    train, held_out = runs.open_data(options, seed=options.seed)
    runs.flint.run_joint(runs.flint.CIFAR10, train, held_out, options.flint, run=run)


if __name__ == "__main__":
    runs.main(train_and_report, Options, __doc__)
