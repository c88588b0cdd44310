r"""Trains a target from scratch, for those who bring data and no weights.

    python experiments/train_target.py --model resnet18 --data folder:photographs --epochs 90 \
        --optimizer sgd --train-learning-rate 0.4 --train-batch-size 1024 --out runs/target

    python experiments/train_target.py --model vgg11_bn --data mnist.npz --image-size 32 --out runs/vgg

Writes weights.safetensors in torchvision's key names, which every other experiment loads, and results.json.
BatchNorm statistics are synchronised over all devices.
"""

import dataclasses
import json
import time
from collections.abc import Mapping
from pathlib import Path

import common
import fitting
import jax
from common import ClassifierOptions

from jaxpath import data, devices, metrics, targets
from jaxpath.types import Params, Target


@dataclasses.dataclass(frozen=True)
class Options(common.Launch):
    """A classifier to train.

    Attributes:
        data: digits, npz:FILE, folder:PATH, tar:FILE or tfds:NAME.
        model: Name of the target.
        out: Folder of the run; the same command continues a run that was stopped.
        data_dir: Where TFDS data sets are prepared.
        eval_split: Split that is scored; None holds out a tenth of the training images.
        image_size: Side of the square images that the target takes; None keeps its own.
        epochs: Passes over the training images, in place of train_steps.
        seed: Of initialisation, order and the held-out share.
    """

    data: str
    model: str = "resnet20"
    out: Path = Path("runs/target")
    data_dir: str | None = None
    eval_split: str | None = "test"
    image_size: int | None = None
    epochs: float | None = None
    seed: int = 0
    classifier: ClassifierOptions = dataclasses.field(default_factory=ClassifierOptions)


def run(options: Options) -> None:
    """Set-up, training, evaluation."""
    began = time.perf_counter()
    train, held_out = common.open_data(
        options.data, eval_split=options.eval_split, seed=options.seed, data_dir=options.data_dir
    )
    target = targets.make_target(options.model, **common.target_options(train, image_size=options.image_size))
    common.check_data(target, train, held_out)
    classifier = options.classifier
    if options.epochs is not None:
        steps = max(1, round(options.epochs * len(train) / classifier.train_batch_size))
        classifier = dataclasses.replace(classifier, train_steps=steps)
    config = common.as_config(options)
    params = fitting.train_classifier(
        target, train, classifier, out=options.out, seed=options.seed, config=config
    )
    found = {"target_accuracy": _accuracy(target, params, held_out), "seconds": time.perf_counter() - began}
    if jax.process_index() == 0:
        (options.out / "results.json").write_text(json.dumps({**found, "config": config}, indent=2) + "\n")
    common.say(f"accuracy on {len(held_out)} held-out images: {found['target_accuracy']:.4f}")
    common.say(f"weights: {options.out / fitting.WEIGHTS}")


def _accuracy(target: Target, params: Params, held_out: data.Source) -> float:
    mesh = devices.make_mesh()

    def predict(params: Params, batch: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
        return {"predicted": target.apply(params, batch["image"]).logits.argmax(axis=-1)}

    batches = common.eval_passes(held_out, target, batch_size=32 * mesh.size)
    found = metrics.per_image(predict, params, batches, mesh=mesh)
    return metrics.agreement(found["predicted"], found["labels"])


if __name__ == "__main__":
    common.main(run, Options, __doc__)
