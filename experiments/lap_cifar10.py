r"""Puts attention into a trained CIFAR-10 ResNet; its own layers stay as they are.

    python experiments/lap_cifar10.py --weights resnet20.safetensors --data cifar10.npz \
        --train-images cifar10_train.tar --out runs/lap_cifar10

Only score heads learn by default, because training images may be compressed where the classifier's were not.
"""

import dataclasses
from pathlib import Path

import common
from lap_fitting import PlugInOptions
from lap_imagenet import plug_into
from lap_outcome import ScoreOptions


@dataclasses.dataclass(frozen=True)
class Options(common.Launch):
    """A run on CIFAR-10.

    Attributes:
        data: .npz file with training and test images, or another form that jaxpath.data.open_source takes.
        weights: The classifier's weights, .safetensors or .pth.
        out: Folder of the run; the same command continues a run that was stopped.
        model: Name of the classifier.
        train_images: Further training images: a folder or a tar file of class folders.
        eval_split: Split that is scored.
        seed: Of initialisation, order and draws.
    """

    data: str
    weights: str
    out: Path = Path("runs/lap_cifar10")
    model: str = "resnet20"
    train_images: str | None = None
    eval_split: str = "test"
    seed: int = 0
    lap: PlugInOptions = dataclasses.field(
        default_factory=lambda: PlugInOptions(batch_size=64, augment="shift_flip")
    )
    score: ScoreOptions = dataclasses.field(default_factory=ScoreOptions)


def run(options: Options) -> None:
    """Set-up, score heads, scores."""
    train, held_out = common.open_data(
        options.data, eval_split=options.eval_split, seed=options.seed, train_images=options.train_images
    )
    plug_into(
        options.model,
        options.weights,
        train,
        held_out,
        options.lap,
        options.score,
        out=options.out,
        seed=options.seed,
        options=options,
        num_classes=10,
    )


if __name__ == "__main__":
    common.main(run, Options, __doc__)
