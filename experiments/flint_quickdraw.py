r"""Trains FLINT on ten classes of QuickDraw by the published recipe.

    python experiments/flint_quickdraw.py --data quickdraw --out runs/flint_quickdraw

    python experiments/flint_quickdraw.py --data quickdraw --classes airplane banana bird book cat clock dog \
        flower house rainbow --recipe mnist --out runs/flint_quickdraw_lenet

``--data`` is a folder with ant.npy, apple.npy and so on: the files of Google's numpy_bitmap. 80,000 drawings,
12 epochs in batches of 64; a GPU is needed. The second command takes other classes, and the network and the
recipe that were published for MNIST: minutes. ``--data digits --epochs 3`` shows that it runs, no more:
``flint_mnist.py`` learns digits.
"""

import dataclasses
from pathlib import Path
from typing import Literal

from jaxpath import data, runs
from jaxpath.data import FLINT_CLASSES


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options(runs.flint.JointRun):
    """A run on QuickDraw.

    Attributes:
        data: Folder of the bitmaps, or digits.
        classes: In the order of the labels; none takes the ten published ones.
        recipe: Network and schedule: those published for QuickDraw (a ResNet-18) or for MNIST (a LeNet).
    """

    data: str
    out: Path = Path("runs/flint_quickdraw")
    classes: tuple[str, ...] = FLINT_CLASSES
    recipe: Literal["quickdraw", "mnist"] = "quickdraw"


def train_and_report(options: Options) -> None:
    """Data, training, report."""
    run = runs.begin(options)
    is_smoke = options.data == "digits"
    train, held_out = (
        data.digits(split) if is_smoke else data.quickdraw(options.data, split, classes=options.classes)
        for split in ("train", "test")
    )
    published = runs.flint.MNIST if options.recipe == "mnist" else runs.flint.QUICKDRAW
    runs.flint.run_joint(published, train, held_out, options.flint, run=run)


if __name__ == "__main__":
    runs.main(train_and_report, Options, __doc__)
