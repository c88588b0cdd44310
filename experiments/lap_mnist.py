"""Trains a LAP net on cluttered MNIST: digits among pieces of others, whose true box is known.

    python experiments/lap_mnist.py --data mnist.npz --out runs/lap_mnist

    python experiments/lap_mnist.py --data mnist.npz --knowledge-share 0.05 --out runs/lap_mnist_boxes

10,000 canvases of training digits and 2,000 of test digits, 56 x 56 pixels, eight pieces of 8 x 8. The second
command knows the box of one canvas in twenty. Without a file there is ``lap_digits.py``.
"""

import dataclasses
from pathlib import Path

from jaxpath import InputError, data, runs


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options(runs.Launch):
    """A run on cluttered MNIST.

    Attributes:
        data: .npz file with training and test images.
        out: Folder of the run; the same command continues a run that was stopped.
        seed: Of canvases, initialisation, order and draws.
        train_canvases: Number of canvases to learn from.
        test_canvases: Number of held-out canvases, of test digits.
    """

    data: str
    out: Path = Path("runs/lap_mnist")
    seed: int = 0
    train_canvases: int = 10_000
    test_canvases: int = 2_000
    lap: runs.lap.LapOptions = dataclasses.field(default_factory=runs.lap.LapOptions)
    score: runs.lap.ScoreOptions = dataclasses.field(default_factory=runs.lap.ScoreOptions)


def train_and_compare(options: Options) -> None:
    """Canvases, plain net, LAP net, scores."""
    run = runs.begin(options)
    counts = {"train": options.train_canvases, "test": options.test_canvases}
    train, held_out = (
        data.cluttered(open_digits(options.data, split), count, seed=options.seed + place)
        for place, (split, count) in enumerate(counts.items())
    )
    runs.lap.run_on_canvases(train, held_out, options.lap, options.score, run=run)


def open_digits(spec: str, split: str) -> data.ArraySource:
    """A split of digits in memory."""
    source = data.open_source(spec, split=split)
    if not isinstance(source, data.ArraySource):
        raise InputError(f"{spec} is not in memory; expected an .npz file of digits")
    return source


if __name__ == "__main__":
    runs.main(train_and_compare, Options, __doc__)
