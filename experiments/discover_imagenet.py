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
from pathlib import Path

from jaxpath import data, runs


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options(runs.discover.PairRun):
    """A run on photographs.

    Attributes:
        eval_data: Photographs that are scored, in the same form as data; None takes a split or a share of
            those.
    """

    eval_data: str | None = None
    eval_fraction: float = 0.1
    out: Path = Path("runs/discover_imagenet")
    comparison: runs.discover.PairOptions = dataclasses.field(
        default_factory=lambda: runs.discover.PairOptions("resnet18", competitors=2, epochs=90)
    )
    classifier: runs.ClassifierOptions = dataclasses.field(
        default_factory=lambda: runs.ClassifierOptions(
            optimizer="sgd",
            train_batch_size=256,
            train_learning_rate=0.1,
            train_weight_decay=1e-4,
            train_augment="crop_flip",
        )
    )


def train_and_compare(options: Options) -> None:
    """Both networks, their words, the results."""
    if options.eval_data is None:
        runs.discover.run_pair(options)
        return
    run = runs.begin(options)
    train = runs.open_part(options, options.data, options.train_split)
    if options.train_images is not None:
        train = data.concatenate([train, runs.open_part(options, options.train_images)])
    held_out = runs.open_part(options, options.eval_data, options.eval_split)
    runs.discover.compare_pair(
        train,
        held_out,
        options.comparison,
        options.classifier,
        run=run,
        image_size=options.image_size,
    )


if __name__ == "__main__":
    runs.main(train_and_compare, Options, __doc__)
