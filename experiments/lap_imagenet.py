r"""Puts attention into a trained ImageNet ResNet or VGG, on a folder of photographs or on TFDS.

    python experiments/lap_imagenet.py --model resnet18 --weights resnet18.safetensors \
        --data folder:photographs --eval-fraction 0.2 --out runs/lap_resnet18

Score heads learn, and with --tune-epochs then everything from the first attention on as well, both with the
net's running statistics. Top-1 of both nets, insertion and deletion of every explanation are scored on
held-out images.
"""

import dataclasses
from pathlib import Path

from jaxpath import runs


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options(runs.lap.PlugInRun):
    """A run on photographs."""

    out: Path = Path("runs/lap_imagenet")
    score: runs.lap.ScoreOptions = dataclasses.field(
        default_factory=lambda: runs.lap.ScoreOptions(curve_images=100, score_batch_size=10)
    )


if __name__ == "__main__":
    runs.main(runs.lap.run_plug_in, Options, __doc__)
