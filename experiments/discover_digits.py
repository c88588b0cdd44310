r"""Trains a network of competing units and its rectified twin on digits, and names their units.

    python experiments/discover_digits.py --data mnist.npz --competitors 4 --out runs/discover_u4

    python experiments/discover_digits.py --out runs/discover_digits

The first command is the acceptance experiment on MNIST: two minutes for each of the two networks on two
CPU cores. Units are named after the ten digits by soft WPMI. Expected with four competitors and six
averaged draws: accuracy about 0.985 (0.988 rectified), active share 0.25, all ten output units named rightly.
Runs with other numbers of competitors share the twin: ``--twin runs/discover_u4/twin``. The second needs no
file: it takes scikit-learn's 1,797 digits, one minute, for an accuracy of about 0.96 (0.97 rectified).

Each network takes 1,406 steps, which are three epochs of MNIST and 125 of scikit-learn's digits;
``--epochs`` counts passes instead.
"""

import dataclasses
from pathlib import Path

from jaxpath import runs


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options(runs.discover.PairRun):
    """A run on digits.

    Attributes:
        data: .npz file with training and test images, or digits.
    """

    data: str = "digits"
    eval_split: str | None = "auto"
    out: Path = Path("runs/discover_digits")
    comparison: runs.discover.PairOptions = dataclasses.field(
        default_factory=lambda: runs.discover.PairOptions("digit_cnn")
    )
    classifier: runs.ClassifierOptions = dataclasses.field(
        default_factory=lambda: runs.ClassifierOptions(
            train_steps=1406, train_learning_rate=2e-3, train_weight_decay=0.0, train_augment="none"
        )
    )


if __name__ == "__main__":
    runs.main(runs.discover.run_pair, Options, __doc__)
