r"""Trains FLINT on ten classes of QuickDraw by the published recipe.

    python experiments/flint_quickdraw.py --data quickdraw --out runs/flint_quickdraw

``--data`` is a folder with ant.npy, apple.npy and so on: the files of Google's numpy_bitmap. 80,000 drawings,
12 epochs in batches of 64; a GPU is needed. ``--data digits --epochs 3`` shows that it runs, no more:
``flint_mnist.py`` learns digits.
"""

import dataclasses
from pathlib import Path

from jaxpath import data, runs


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options(runs.flint.JointRun):
    """A run on QuickDraw.

    Attributes:
        data: Folder of the bitmaps, or digits.
    """

    data: str
    out: Path = Path("runs/flint_quickdraw")


def train_and_report(options: Options) -> None:
    """Data, training, report."""
    run = runs.begin(options)
    is_smoke = options.data == "digits"
    train, held_out = (
        data.digits(split) if is_smoke else data.quickdraw(options.data, split) for split in ("train", "test")
    )
    runs.flint.run_joint(runs.flint.QUICKDRAW, train, held_out, options.flint, run=run)


if __name__ == "__main__":
    runs.main(train_and_report, Options, __doc__)
