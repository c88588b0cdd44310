r"""Asks whether pathways depend on what the classifier has learned.

    python experiments/sanity.py --model resnet20 --weights resnet20.safetensors --data cifar10.npz \
        --trained runs/cifar10/generator.safetensors --out runs/sanity

Two tests. The cascade re-initialises the classifier from its last layer down, and compares the pathways of
each stage with those of the trained one: an explainer whose pathways stay explains something else. Second, a
generator is trained for a classifier that has never learned anything, and its pathways are put on the trained
one, at equal densities beside those of ``--trained``: it must not score as well. Written are ``results.json``
and ``cascade.png``.
"""

import dataclasses
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import cifar10
import common
import fitting
import jax
import numpy as np
import outcome
from common import GeneratorOptions

from jaxpath import data, devices, explainers, gencnp, metrics, report, targets
from jaxpath.types import Explainer, InputError, Params, Target

TRAINED, UNTRAINED = "generator", "generator of a random target"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Options(cifar10.Options):
    """Two tests of pathways.

    Attributes:
        trained: A generator that was trained for the target: the file that experiments/cifar10.py writes.
        out: Folder of the results and of the second generator; the same command continues its training.
        explainers: Baselines that are put through the cascade beside the generator.
        density: Where the cascade cuts the scores of all explainers.
        densities: Where both generators are scored.
        images: Explains so many images in the cascade, drawn at random; None takes all.
    """

    trained: str
    out: Path = Path("runs/sanity")
    explainers: tuple[str, ...] = ("random", "activation", "taylor", "taylor_signed")
    density: float = 0.1
    densities: tuple[float, ...] = metrics.DENSITIES
    images: int | None = 200
    generator: GeneratorOptions = dataclasses.field(
        default_factory=lambda: GeneratorOptions(steps=400, augment="shift_flip", initial_logit=1.0)
    )


def run(options: Options) -> None:
    """The cascade, the generator of a random target, results and a figure."""
    began = time.perf_counter()
    target, params, train, held_out = cifar10.open_all(options)
    generator, weights = gencnp.load_generator(options.trained, target)
    baselines = {name: make_baseline(name, target, options.density) for name in options.explainers}
    config = common.as_config(
        options,
        weights=targets.weights_hash(options.weights),
        trained_hash=targets.weights_hash(options.trained),
    )

    common.say("a generator for a target of random weights")
    random_params = target.init(jax.random.key(options.seed + 1))
    other = fitting.train_generator(
        target, random_params, train, options.generator, out=options.out, seed=options.seed, config=config
    )

    def made(weights: Params, generator: gencnp.Generator = generator) -> Explainer:
        return gencnp.make_gencnp(target, generator, weights, density=options.density)

    def made_other(weights: Params) -> Explainer:
        return made(weights, other.generator)

    scores = {
        TRAINED: score(target, params, made, weights, held_out, options),
        UNTRAINED: score(target, params, made_other, other.params, held_out, options),
    }
    for name, curve in scores.items():
        cells = (f"{point['fidelity']:.3f} at {point['density']:g}" for point in curve)
        common.say(f"{name}: fidelity {', '.join(cells)}")

    few = held_out if options.images is None else data.draw(held_out, options.images, seed=options.seed)
    stages = {
        name: cascade(target, params, make, explainer_params, few, options)
        for name, (make, explainer_params) in {**baselines, TRAINED: (made, weights)}.items()
    }
    if jax.process_index() == 0:
        report.save_figure(
            report.plot_cascade(stages, chance=metrics.random_aciou(options.density)),
            options.out / "cascade.png",
        )
    found = {"cascade": stages, "random_target": scores, "num_images": len(held_out)}
    outcome.write_results(options.out, found, config=config, began=began)


def make_baseline(name: str, target: Target, density: float) -> tuple[metrics.MakeExplainer, Params]:
    """A baseline, and that it has no parameters."""
    if name not in explainers.names():
        raise InputError(f"--explainers got {name!r}; choose from {', '.join(explainers.names())}")
    explain = explainers.make_explainer(name, target, density=density)
    return lambda _: explain, {}


def score(
    target: Target,
    params: Params,
    make: metrics.MakeExplainer,
    explainer_params: Params,
    source: data.Source,
    options: Options,
) -> Sequence[Mapping[str, float]]:
    """Fidelity and mean drop of confidence at every density."""
    records = metrics.explain_at_densities(
        target,
        params,
        make,
        explainer_params,
        outcome.passes(source, target, options.generator),
        densities=options.densities,
        mesh=devices.make_mesh(),
        seed=options.seed,
    )
    return [
        {
            "density": float(density),
            "fidelity": metrics.agreement(record.masked_predicted, record.predicted),
            "mdc": metrics.mean_drop(record.clean_confidence, record.masked_confidence),
        }
        for density, record in zip(options.densities, records, strict=True)
    ]


def cascade(
    target: Target,
    params: Params,
    make: metrics.MakeExplainer,
    explainer_params: Params,
    source: data.Source,
    options: Options,
) -> list[dict[str, Any]]:
    """Overlap and rank correlation with the trained target's pathways, stage by stage."""
    rows = metrics.cascading_randomization(
        target,
        params,
        make,
        explainer_params,
        outcome.passes(source, target, options.generator),
        mesh=devices.make_mesh(),
        seed=options.seed,
        density=options.density,
    )
    return [
        {
            "stage": row.stage,
            "share": row.share,
            "iou": float(row.iou.mean()),
            "spearman": float(np.nanmean(row.spearman)),
        }
        for row in rows
    ]


if __name__ == "__main__":
    common.main(run, Options, __doc__)
