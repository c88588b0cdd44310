r"""Trains FLINT on MNIST or FashionMNIST: a classifier that learns its own explanation.

    python experiments/flint_mnist.py --data mnist.npz --out runs/flint_mnist

    python experiments/flint_mnist.py --data mnist.npz --batch-size 128 --learning-rate 1e-3 \
        --schedule cosine --out runs/flint_mnist_fast

    python experiments/flint_mnist.py --data digits --epochs 40 --learning-rate 1e-3 --out runs/flint_digits

The first command is the published recipe: 12 epochs in batches of 16, ten minutes of CPU time on one core.
The second is ours and takes twelve. The third is a smoke run on small digits.
"""

import dataclasses
import time
from pathlib import Path

import common
from flint_joint import JointOptions, run_joint

from jaxpath import flint, targets


@dataclasses.dataclass(frozen=True)
class Options(JointOptions):
    """A run on MNIST.

    Attributes:
        data: .npz file with training and test images, or digits.
    """

    out: Path = Path("runs/flint_mnist")


def run(options: Options) -> None:
    """Data, training, report."""
    began = time.perf_counter()
    train, held_out = common.open_data(options.data, eval_split="test", seed=options.seed)
    run_joint(options, targets.lenet, flint.MNIST, train=train, held_out=held_out, began=began)


if __name__ == "__main__":
    common.main(run, Options, __doc__)
