r"""Trains FLINT on MNIST or FashionMNIST: a classifier that learns its own explanation.

    python experiments/flint_mnist.py --data mnist.npz --out runs/flint_mnist

    python experiments/flint_mnist.py --data mnist.npz --batch-size 128 --learning-rate 1e-3 \
        --schedule cosine --out runs/flint_mnist_fast

    python experiments/flint_mnist.py --data digits --epochs 40 --learning-rate 1e-3 --out runs/flint_digits

The first command is the published recipe: 12 epochs in batches of 16, an hour on two CPU cores. The second is
ours, under 15 minutes. The third is a smoke run on small digits.
"""

import dataclasses
import time
from pathlib import Path

import common
import flint_fitting
import flint_outcome
from flint_fitting import FlintOptions

from jaxpath import flint, targets


@dataclasses.dataclass(frozen=True)
class Options(common.Launch):
    """A run on MNIST.

    Attributes:
        data: .npz file with training and test images, or digits.
        out: Folder of the run; the same command continues a run that was stopped.
        seed: Of initialisation, order and draws.
    """

    data: str
    out: Path = Path("runs/flint_mnist")
    seed: int = 0
    flint: FlintOptions = dataclasses.field(default_factory=FlintOptions)


def run(options: Options) -> None:
    """Set-up, training, report."""
    began = time.perf_counter()
    train, held_out = common.open_data(options.data, eval_split="test", seed=options.seed)
    target = targets.lenet(**common.target_options(train))
    common.check_data(target, train, held_out)
    config = common.as_config(options)
    recipe = flint_fitting.apply_options(flint.MNIST, options.flint)
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
