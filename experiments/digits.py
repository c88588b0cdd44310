"""Trains a small classifier on scikit-learn's digits, then a generator of its pathways, and evaluates it.

    python experiments/digits.py --out runs/digits

About two minutes on two CPU cores, under 2 GB of memory. Ends with results.json, pathways.png (held-out
digits and their pathways) and class_pathways.png in the output folder. Expected on held-out digits:
target accuracy at least 0.97, fidelity at least 0.95 at density at most 0.3.
"""

import dataclasses
import time
from pathlib import Path

import common
import fitting
import outcome
from common import ClassifierOptions, GeneratorOptions

from jaxpath import data, targets


@dataclasses.dataclass(frozen=True)
class Options(common.Launch):
    """A run of the demonstration.

    Attributes:
        out: Folder of the run; the same command continues a run that was stopped.
        seed: Of initialisation, order and draws.
    """

    out: Path = Path("runs/digits")
    seed: int = 0
    classifier: ClassifierOptions = dataclasses.field(default_factory=ClassifierOptions)
    generator: GeneratorOptions = dataclasses.field(
        default_factory=lambda: GeneratorOptions(steps=500, width=32, augment="shift", checkpoint_every=250)
    )


def run(options: Options) -> None:
    """Set-up, target, generator, report."""
    began = time.perf_counter()
    config = common.as_config(options)
    target = targets.resnet8(image_size=8, channels=1)
    train, held_out = data.open_source("digits", split="train"), data.open_source("digits", split="test")
    common.check_data(target, train, held_out)

    common.say(f"target: {target.name} on {len(train)} digits")
    target_params = fitting.train_classifier(
        target, train, options.classifier, out=options.out / "target", seed=options.seed, config=config
    )

    common.say("generator: pathways of the frozen target")
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


if __name__ == "__main__":
    common.main(run, Options, __doc__)
