r"""Trains a generator for a CIFAR ResNet and evaluates it on images that it has not seen.

    python experiments/cifar10.py --model resnet20 --weights resnet20.safetensors \
        --data cifar10.npz --train-images cifar10_train.tar --out runs/cifar10

``--data`` holds train_images, train_labels, test_images and test_labels (uint8, 32 x 32 x 3). The generator
learns from ``--train-images`` (a folder or tar of class folders) together with the .npz file's training
images, and is scored on its test images. Six to eighteen minutes on two CPU cores with the default steps.
"""

import dataclasses
import time
from pathlib import Path

import common
import fitting
import outcome
from common import GeneratorOptions

from jaxpath import data, targets
from jaxpath.types import Params, Target


@dataclasses.dataclass(frozen=True)
class Options(common.Launch):
    """A run on CIFAR-10.

    Attributes:
        data: .npz file with training and test images, or another form that jaxpath.data.open_source
            takes.
        weights: The target's weights, .safetensors or .pth.
        out: Folder of the run; the same command continues a run that was stopped.
        model: Name of the target.
        train_images: Further training images: a folder or a tar file of class folders.
        eval_split: Split that is scored.
        seed: Of initialisation, order and draws.
    """

    data: str
    weights: str
    out: Path = Path("runs/cifar10")
    model: str = "resnet20"
    train_images: str | None = None
    eval_split: str = "test"
    seed: int = 0
    generator: GeneratorOptions = dataclasses.field(
        default_factory=lambda: GeneratorOptions(steps=1500, augment="shift_flip", initial_logit=1.0)
    )


def run(options: Options) -> None:
    """Set-up, generator, report."""
    began = time.perf_counter()
    target, target_params, train, held_out = open_all(options)
    config = common.as_config(options, weights=targets.weights_hash(options.weights))

    common.say(f"generator: pathways of the frozen {target.name}, {len(train)} training images")
    trained = fitting.train_generator(
        target, target_params, train, options.generator, out=options.out, seed=options.seed, config=config
    )

    outcome.report_generator(
        target,
        target_params,
        trained,
        held_out=held_out,
        train=train,
        options=options.generator,
        out=options.out,
        seed=options.seed,
        config=config,
        began=began,
    )


def open_all(options: Options) -> tuple[Target, Params, data.Source, data.Source]:
    """The classifier, its parameters, the images to learn from, and those to score."""
    target = targets.make_target(options.model, num_classes=10, dtype=options.generator.precision)
    params = targets.load_weights(target, options.weights)
    train, held_out = common.open_data(
        options.data, eval_split=options.eval_split, seed=options.seed, train_images=options.train_images
    )
    common.check_data(target, train, held_out)
    return target, params, train, held_out


if __name__ == "__main__":
    common.main(run, Options, __doc__)
