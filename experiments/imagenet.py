r"""Trains a generator for an ImageNet ResNet or VGG, on a folder of photographs or on TFDS.

    python experiments/imagenet.py --model resnet50 --weights hf://timm/resnet50.tv_in1k \
        --data tfds:imagenet2012 --data-dir gs://bucket/tfds --eval-split validation \
        --batch-size 1024 --epochs 5 --precision bfloat16 --out runs/resnet50

    python experiments/imagenet.py --model resnet18 --weights resnet18.safetensors \
        --data folder:photographs --eval-fraction 0.2 --batch-size 16 --steps 300 --out runs/resnet18

The same command runs on one CPU, several GPUs or every host of a TPU pod: the batch size is that of all
devices together. A folder holds one folder per class, named by WordNet id, with wnids.json (all 1000 ids
in the order of the classes) inside or beside it if classes are missing. Without ``--eval-split``, a seeded
share of the images is held out.
"""

import dataclasses
import time
from pathlib import Path

import common
import fitting
import outcome
from common import GeneratorOptions

from jaxpath import targets


@dataclasses.dataclass(frozen=True)
class Options(common.Launch):
    """A run on ImageNet or on any photographs of its classes.

    Attributes:
        data: folder:PATH, tfds:NAME, or another form that jaxpath.data.open_source takes.
        weights: The target's weights: .safetensors, .pth, or hf://owner/name.
        out: Folder of the run; the same command continues a run that was stopped.
        model: Name of the target.
        num_classes: Classes of the target; None keeps the model's own.
        image_size: Side of the square images that the target takes; None keeps its own.
        data_dir: Where TFDS data sets are prepared.
        train_split: Split that the generator learns from; by default train, or everything.
        eval_split: Split that is scored; None holds out a share of the training images.
        eval_fraction: Share that is held out without an eval split, drawn by the seed.
        epochs: Passes over the training images, in place of steps.
        seed: Of initialisation, order, draws and the held-out share.
    """

    data: str
    weights: str
    out: Path = Path("runs/imagenet")
    model: str = "resnet18"
    num_classes: int | None = None
    image_size: int | None = None
    data_dir: str | None = None
    train_split: str | None = None
    eval_split: str | None = None
    eval_fraction: float = 0.2
    epochs: float | None = None
    seed: int = 0
    generator: GeneratorOptions = dataclasses.field(
        default_factory=lambda: GeneratorOptions(
            steps=1000, batch_size=64, width=256, augment="crop_flip", class_pathway_images=0
        )
    )


def run(options: Options) -> None:
    """Set-up, generator, report."""
    began = time.perf_counter()
    train, held_out = common.open_data(
        options.data,
        eval_split=options.eval_split,
        seed=options.seed,
        data_dir=options.data_dir,
        train_split=options.train_split,
        eval_fraction=options.eval_fraction,
    )
    chosen = {
        "num_classes": options.num_classes,
        "image_size": options.image_size,
        "channels": common.target_options(train).get("channels"),
    }
    given = {name: value for name, value in chosen.items() if value is not None}
    target = targets.make_target(options.model, dtype=options.generator.precision, **given)
    target_params = targets.load_weights(target, options.weights)
    common.check_data(target, train, held_out)
    generator = options.generator
    if options.epochs is not None:
        steps = max(1, round(options.epochs * len(train) / generator.batch_size))
        generator = dataclasses.replace(generator, steps=steps)
    config = common.as_config(options, weights=targets.weights_hash(options.weights))

    common.say(f"generator: pathways of the frozen {target.name}, {len(train)} training images")
    trained = fitting.train_generator(
        target, target_params, train, generator, out=options.out, seed=options.seed, config=config
    )

    outcome.report_generator(
        target,
        target_params,
        trained,
        held_out=held_out,
        train=train,
        options=generator,
        out=options.out,
        seed=options.seed,
        config=config,
        began=began,
    )


if __name__ == "__main__":
    common.main(run, Options, __doc__)
