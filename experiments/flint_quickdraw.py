r"""Trains FLINT on ten classes of QuickDraw by the published recipe.

    python experiments/flint_quickdraw.py --data quickdraw --out runs/flint_quickdraw

``--data`` is a folder with ant.npy, apple.npy and so on: the files of Google's numpy_bitmap. 80,000 drawings,
12 epochs in batches of 64; a GPU is needed. ``--data digits --epochs 3`` is a smoke run.
"""

import dataclasses
import time
from pathlib import Path

import common
import flint_fitting
import flint_outcome
from flint_fitting import FlintOptions

from jaxpath import data, flint, targets


@dataclasses.dataclass(frozen=True)
class Options(common.Launch):
    """A run on QuickDraw.

    Attributes:
        data: Folder of the bitmaps, or digits.
        out: Folder of the run; the same command continues a run that was stopped.
        seed: Of initialisation, order and draws.
    """

    data: str
    out: Path = Path("runs/flint_quickdraw")
    seed: int = 0
    flint: FlintOptions = dataclasses.field(default_factory=FlintOptions)


def run(options: Options) -> None:
    """Set-up, training, report."""
    began = time.perf_counter()
    is_smoke = options.data == "digits"
    train, held_out = (
        data.digits(split) if is_smoke else data.quickdraw(options.data, split) for split in ("train", "test")
    )
    target = targets.resnet18_normless(**common.target_options(train))
    config = common.as_config(options)
    recipe = flint_fitting.apply_options(flint.QUICKDRAW, options.flint)
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
    )


if __name__ == "__main__":
    common.main(run, Options, __doc__)
