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
import flint_fitting
import flint_outcome
from flint_fitting import FlintOptions

from jaxpath import flint, targets


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
    out: Path = Path("runs/flint_cifar10")
    train_images: str | None = None
    eval_split: str = "test"
    seed: int = 0
    flint: FlintOptions = dataclasses.field(default_factory=lambda: FlintOptions(augment="small_shift"))


def run(options: Options) -> None:
    """Set-up, training, report."""
    began = time.perf_counter()
    train, held_out = common.open_data(
        options.data, eval_split=options.eval_split, seed=options.seed, train_images=options.train_images
    )
    target = targets.resnet18_normless(**common.target_options(train))
    common.check_data(target, train, held_out)
    config = common.as_config(options)
    recipe = flint_fitting.apply_options(flint.CIFAR10, options.flint)
    trained = flint_fitting.train_joint(
        target, train, recipe, options.flint, out=options.out, seed=options.seed, config=config
    )
    flint_outcome.save_target(target, trained, options.out)
    flint_outcome.report_interpreter(
        target,
        trained,
        held_out=held_out,
        train=train,
        options=options.flint,
        out=options.out,
        seed=options.seed,
        config=config,
        began=began,
        maximisation=flint.CIFAR10_MAXIMISATION,
    )


if __name__ == "__main__":
    common.main(run, Options, __doc__)
