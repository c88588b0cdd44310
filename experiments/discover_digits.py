r"""Trains a network of competing units and its rectified twin on digits, and names their units.

    python experiments/discover_digits.py --data mnist.npz --competitors 4 --out runs/discover_u4

    python experiments/discover_digits.py --data digits --model resnet8 --epochs 40 \
        --train-augment shift --out runs/discover_digits

The first command is the acceptance experiment on MNIST: two minutes for each of the two networks on two
CPU cores. Units are named after the ten digits by soft WPMI. Expected with four competitors and six
averaged draws: accuracy about .98 (.989 rectified), active share .25, all ten output units named rightly.
Runs with other numbers of competitors share the twin: ``--twin runs/discover_u4/twin``.
"""

import dataclasses
import time
from pathlib import Path

import common
import discover_outcome
from common import ClassifierOptions
from discover_outcome import Comparison

from jaxpath import data


@dataclasses.dataclass(frozen=True)
class Options(common.Launch):
    """A run on digits.

    Attributes:
        data: .npz file with training and test images, or digits.
        out: Folder of the run; the same command continues a run that was stopped.
        seed: Of initialisation, order and draws.
    """

    data: str = "digits"
    out: Path = Path("runs/discover_digits")
    seed: int = 0
    comparison: Comparison = dataclasses.field(default_factory=lambda: Comparison("digit_cnn", epochs=3))
    classifier: ClassifierOptions = dataclasses.field(
        default_factory=lambda: ClassifierOptions(
            train_learning_rate=2e-3, train_weight_decay=0.0, train_augment="none"
        )
    )


def run(options: Options) -> None:
    """Both networks, their words, the results."""
    began = time.perf_counter()
    train, held_out = (data.open_source(options.data, split=split) for split in ("train", "test"))
    discover_outcome.compare(
        options.comparison,
        options.classifier,
        train,
        held_out,
        out=options.out,
        seed=options.seed,
        config=common.as_config(options),
        began=began,
    )


if __name__ == "__main__":
    common.main(run, Options, __doc__)
