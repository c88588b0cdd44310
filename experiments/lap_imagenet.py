r"""Puts attention into a trained ImageNet ResNet or VGG, on a folder of photographs or on TFDS.

    python experiments/lap_imagenet.py --model resnet18 --weights resnet18.safetensors \
        --data folder:photographs --eval-fraction 0.2 --out runs/lap_resnet18

Score heads learn, and with --tune-epochs then everything from the first attention on as well, both with the
net's running statistics. Top-1 of both nets, insertion and deletion of every explanation are scored on
held-out images.
"""

import dataclasses
import inspect
import time
from pathlib import Path
from typing import Any

import common
import lap_fitting
import lap_outcome
from lap_fitting import LapTrained, PlugInOptions
from lap_outcome import ScoreOptions

from jaxpath import data, lap, targets
from jaxpath.types import InputError, Target


@dataclasses.dataclass(frozen=True)
class Options(common.Launch):
    """A run on photographs.

    Attributes:
        data: folder:PATH, tfds:NAME, or another form that jaxpath.data.open_source takes.
        weights: The classifier's weights: .safetensors, .pth, or hf://owner/name.
        out: Folder of the run; the same command continues a run that was stopped.
        model: Name of the classifier.
        image_size: Side of the square images that it takes; None keeps its own.
        data_dir: Where TFDS data sets are prepared.
        train_split: Split that attention learns from; by default train, or everything.
        eval_split: Split that is scored; None holds out a share of the training images.
        eval_fraction: Share that is held out without an eval split, drawn by the seed.
        seed: Of initialisation, order, draws and the held-out share.
    """

    data: str
    weights: str
    out: Path = Path("runs/lap_imagenet")
    model: str = "resnet18"
    image_size: int | None = None
    data_dir: str | None = None
    train_split: str | None = None
    eval_split: str | None = None
    eval_fraction: float = 0.2
    seed: int = 0
    lap: PlugInOptions = dataclasses.field(default_factory=PlugInOptions)
    score: ScoreOptions = dataclasses.field(
        default_factory=lambda: ScoreOptions(curve_images=100, score_batch_size=10)
    )


def run(options: Options) -> None:
    """Set-up, stages, scores."""
    train, held_out = common.open_data(
        options.data,
        eval_split=options.eval_split,
        seed=options.seed,
        data_dir=options.data_dir,
        train_split=options.train_split,
        eval_fraction=options.eval_fraction,
    )
    size = {} if options.image_size is None else {"image_size": options.image_size}
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
        **size,
    )


def plug_into(
    model: str,
    weights: str,
    train: data.Source,
    held_out: data.Source,
    plug_in: PlugInOptions,
    score: ScoreOptions,
    *,
    out: Path,
    seed: int,
    options: common.Launch,
    **shape: Any,
) -> None:
    """Puts attention into a trained classifier and compares it with what it was."""
    began = time.perf_counter()
    score.check()
    plain = targets.make_target(model, **shape)
    params = targets.load_weights(plain, weights)
    common.check_data(plain, train, held_out)
    config = common.as_config(options, weights=targets.weights_hash(weights))
    target = _extended(model, plug_in, **shape)
    trained = lap_fitting.plug_in(target, params, train, plug_in, out=out, seed=seed, config=config)
    lap_outcome.report_lap(
        LapTrained(plain, params), trained, held_out, score, out=out, seed=seed, config=config, began=began
    )


def _extended(model: str, plug_in: PlugInOptions, **shape: Any) -> Target:
    make = getattr(targets, model)
    if "pooling" not in inspect.signature(make).parameters:
        raise InputError(
            f"{model} has no pooling that could attend; expected a ResNet or a VGG: choose another --model"
        )
    return lap.extend(make, sites=plug_in.sites or None, **shape)


if __name__ == "__main__":
    common.main(run, Options, __doc__)
