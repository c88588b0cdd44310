r"""Trains FLINT on ten classes of QuickDraw by the published recipe.

    python experiments/flint_quickdraw.py --data quickdraw --out runs/flint_quickdraw

``--data`` is a folder with ant.npy, apple.npy and so on: the files of Google's numpy_bitmap. 80,000 drawings,
12 epochs in batches of 64; a GPU is needed. ``--data digits --epochs 3`` is a smoke run.
"""

import dataclasses
import time
from pathlib import Path

import common
from flint_joint import JointOptions, run_joint

from jaxpath import data, flint, targets


@dataclasses.dataclass(frozen=True)
class Options(JointOptions):
    """A run on QuickDraw.

    Attributes:
        data: Folder of the bitmaps, or digits.
    """

    out: Path = Path("runs/flint_quickdraw")


def run(options: Options) -> None:
    """Data, training, report."""
    began = time.perf_counter()
    is_smoke = options.data == "digits"
    train, held_out = (
        data.digits(split) if is_smoke else data.quickdraw(options.data, split) for split in ("train", "test")
    )
    run_joint(
        options, targets.resnet18_normless, flint.QUICKDRAW, train=train, held_out=held_out, began=began
    )


if __name__ == "__main__":
    common.main(run, Options, __doc__)
