"""Trains a LAP net on cluttered canvases of scikit-learn's digits, whose true region is known.

    python experiments/lap_digits.py --out runs/lap_digits

    python experiments/lap_digits.py --knowledge-share 0.05 --out runs/lap_digits_boxes

A smoke run of ``lap_mnist.py`` without data to bring: digits of 16 x 16 pixels among eight pieces of others.
"""

import dataclasses
from pathlib import Path

from jaxpath import data, runs


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options(runs.Launch):
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
    lap: runs.lap.LapOptions = dataclasses.field(default_factory=runs.lap.LapOptions)
    score: runs.lap.ScoreOptions = dataclasses.field(default_factory=runs.lap.ScoreOptions)


def train_and_compare(options: Options) -> None:
    """Canvases, plain net, LAP net, scores."""
    run = runs.begin(options)
    clutter = data.Clutter(size=options.size, pieces=8, piece=6)
    counts = {"train": options.train_canvases, "test": options.test_canvases}
    train, held_out = (
        data.cluttered(enlarged_digits(split), count, clutter=clutter, seed=options.seed + place)
        for place, (split, count) in enumerate(counts.items())
    )
    runs.lap.run_on_canvases(train, held_out, options.lap, options.score, run=run)


def enlarged_digits(split: str) -> data.ArraySource:
    """The digits at twice their size."""
    digits = data.digits(split)
    images = digits.images.repeat(2, axis=1).repeat(2, axis=2)
    return data.ArraySource(images, digits.labels, class_names=digits.class_names, origin=digits.origin)


if __name__ == "__main__":
    runs.main(train_and_compare, Options, __doc__)
