"""Trains a LAP net on cluttered canvases of scikit-learn's digits, whose true region is known.

    python experiments/lap_digits.py --out runs/lap_digits

    python experiments/lap_digits.py --knowledge-share 0.05 --out runs/lap_digits_boxes

A smoke run of ``lap_mnist.py`` without data to bring: digits of 16 x 16 pixels among eight pieces of others.
"""

import dataclasses
from pathlib import Path

import common
from lap_canvases import run_on_canvases
from lap_fitting import LapOptions
from lap_outcome import ScoreOptions

from jaxpath import data


@dataclasses.dataclass(frozen=True)
class Options(common.Launch):
    """A run on cluttered digits.

    Attributes:
        out: Folder of the run; the same command continues a run that was stopped.
        seed: Of canvases, initialisation, order and draws.
        train_canvases: Number of canvases to learn from.
        test_canvases: Number of held-out canvases, of held-out digits.
        size: Height and width of a canvas.
    """

    out: Path = Path("runs/lap_digits")
    seed: int = 0
    train_canvases: int = 4000
    test_canvases: int = 500
    size: int = 40
    lap: LapOptions = dataclasses.field(default_factory=LapOptions)
    score: ScoreOptions = dataclasses.field(default_factory=ScoreOptions)


def run(options: Options) -> None:
    """Canvases, plain net, LAP net, scores."""
    clutter = data.Clutter(size=options.size, pieces=8, piece=6)
    train = data.cluttered(_enlarged("train"), options.train_canvases, clutter=clutter, seed=options.seed)
    held_out = data.cluttered(
        _enlarged("test"), options.test_canvases, clutter=clutter, seed=options.seed + 1
    )
    run_on_canvases(
        train,
        held_out,
        options.lap,
        options.score,
        out=options.out,
        seed=options.seed,
        config=common.as_config(options),
    )


def _enlarged(split: str) -> data.ArraySource:
    """The digits at twice their size."""
    digits = data.digits(split)
    images = digits.images.repeat(2, axis=1).repeat(2, axis=2)
    return data.ArraySource(images, digits.labels, class_names=digits.class_names, origin=digits.origin)


if __name__ == "__main__":
    common.main(run, Options, __doc__)
