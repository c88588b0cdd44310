r"""Trains a ResNet or DeiT of competing units on photographs beside its twin, and names their units.

    python experiments/discover_imagenet.py --data folder:imagenet/train --eval-data folder:imagenet/val \
        --model resnet18 --competitors 2 --embeddings clip_val.npz --out runs/discover_resnet18

    python experiments/discover_imagenet.py --data tfds:imagenet2012 --eval-split validation \
        --model deit_tiny --competitors 24 --epochs 300 --optimizer adamw --train-learning-rate 2.5e-4 \
        --train-weight-decay 0.02 --label-smoothing 0.1 --out runs/discover_deit

Schedules follow the official settings (90 epochs of SGD for ResNets on Places365, 300 of AdamW for DeiTs)
as far as this trainer has them: it warms up over a tenth of the steps, and has no RandAugment, random
erasing or average of weights. Several GPUs or a TPU pod are needed.
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
    """A run on photographs.

    Attributes:
        data: folder:PATH, tar:FILE, tfds:NAME, or another form that jaxpath.data.open_source takes.
        eval_data: Photographs that are scored, in such a form; None takes a split of the others.
        eval_split: That split; None holds out a tenth.
        out: Folder of the run; the same command continues a run that was stopped.
        data_dir: Where TFDS data sets are prepared.
        image_size: Side of the square images that the networks take; None keeps their own.
        seed: Of initialisation, order, draws and the held-out share.
    """

    data: str
    eval_data: str | None = None
    eval_split: str | None = None
    out: Path = Path("runs/discover_imagenet")
    data_dir: str | None = None
    image_size: int | None = None
    seed: int = 0
    comparison: Comparison = dataclasses.field(
        default_factory=lambda: Comparison("resnet18", competitors=2, epochs=90)
    )
    classifier: ClassifierOptions = dataclasses.field(
        default_factory=lambda: ClassifierOptions(
            optimizer="sgd",
            train_batch_size=256,
            train_learning_rate=0.1,
            train_weight_decay=1e-4,
            train_augment="crop_flip",
        )
    )


def run(options: Options) -> None:
    """Both networks, their words, the results."""
    began = time.perf_counter()
    if options.eval_data is None:
        train, held_out = common.open_data(
            options.data, eval_split=options.eval_split, data_dir=options.data_dir, seed=options.seed
        )
    else:
        train = data.open_source(options.data, data_dir=options.data_dir)
        held_out = data.open_source(options.eval_data, split=options.eval_split, data_dir=options.data_dir)
    discover_outcome.compare(
        options.comparison,
        options.classifier,
        train,
        held_out,
        out=options.out,
        seed=options.seed,
        config=common.as_config(options),
        began=began,
        image_size=options.image_size,
    )


if __name__ == "__main__":
    common.main(run, Options, __doc__)
