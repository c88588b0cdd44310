r"""Puts attention into a trained CIFAR-10 ResNet; its own layers stay as they are.

    python experiments/lap_cifar10.py --weights resnet20.safetensors --data cifar10.npz \
        --train-images cifar10_train.tar --out runs/lap_cifar10

Only score heads learn by default, because training images may be compressed where the classifier's were not.
The cross-entropy counts, so that the final pool sharpens only where that costs no decisions.
"""

import dataclasses
from pathlib import Path

from jaxpath import runs


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options(runs.lap.PlugInRun):
    """A run on CIFAR-10."""

    out: Path = Path("runs/lap_cifar10")
    model: str = "resnet20"
    num_classes: int | None = 10
    eval_split: str | None = "test"
    lap: runs.lap.PlugInOptions = dataclasses.field(
        default_factory=lambda: runs.lap.PlugInOptions(
            batch_size=64, augment="shift_flip", views=1, head_classification_weight=1.0
        )
    )


if __name__ == "__main__":
    runs.main(runs.lap.run_plug_in, Options, __doc__)
