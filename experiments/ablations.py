r"""Switches off one part of the generator or of its training after another, several seeds each.

    python experiments/ablations.py --model resnet20 --weights resnet20.safetensors --data cifar10.npz \
        --train-images cifar10_train.tar --steps 400 --out runs/ablations

Every run differs from the complete recipe by one switch. All are scored on the same held-out images by
experiments/compare.py, which writes results.json, curves.csv and curves.png: means over the seeds, with
95 % intervals. ``ablations.md`` holds the table. Runs that were stopped continue; finished ones are kept.
"""

import dataclasses
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cifar10
import common
import compare
import fitting
import jax
from common import GeneratorOptions

from jaxpath import targets
from jaxpath.types import InputError

SWITCHES: dict[str, dict[str, Any]] = {
    "complete": {},
    "class not told": {"class_conditional": False},
    "no recursion": {"recursive": False},
    "no distillation network": {"distill": False},
    "decoder sees z only": {"decoder_sees": "distilled"},
    "decoder sees e_l only": {"decoder_sees": "embedding"},
    "straight-through, no DAQ": {"quantizer": "straight_through"},
    "activations not weighed": {"modulate": False},
    "no random densities": {"random_density_share": 0.0},
}
"""Name of a variant -> options of the generator, or of its objective, that it changes."""

DENSITIES = (0.05, 0.1, 0.5, 0.9)
SHOWN = (("natural", "fidelity"), ("natural", "density"), (0.05, "fidelity"), (0.5, "fidelity"))
"""Columns of the table: where the scores are cut, and the metric."""


@dataclasses.dataclass(frozen=True)
class Options(cifar10.Options):
    """A table of ablations.

    Attributes:
        out: Folder of the runs and of the table.
        seeds: Runs of each variant, with the seeds seed, seed + 1, ...
        variants: Which of them; all by default.
    """

    out: Path = Path("runs/ablations")
    seeds: int = 3
    variants: tuple[str, ...] = tuple(SWITCHES)


def run(options: Options) -> None:
    """Trains every variant with every seed, compares them, writes the table."""
    unknown = sorted(set(options.variants) - set(SWITCHES))
    if unknown:
        raise InputError(f"--variants got {unknown}; expected some of {list(SWITCHES)}")
    variants = {name: switched(options.generator, SWITCHES[name]) for name in options.variants}
    for variant in variants.values():
        variant.objective.check()  # before the first of them is trained
    target, params, train, _ = cifar10.open_all(options)
    generators = []
    for name, generator in variants.items():
        for seed in range(options.seed, options.seed + options.seeds):
            folder = options.out / name.replace(" ", "_").replace(",", "") / str(seed)
            file = folder / fitting.GENERATOR
            generators.append(f"{name}:{file}")
            if file.exists():
                continue
            common.say(f"{name}, seed {seed}")
            config = common.as_config(
                dataclasses.replace(options, seed=seed, generator=generator),
                weights=targets.weights_hash(options.weights),
            )
            fitting.train_generator(target, params, train, generator, out=folder, seed=seed, config=config)
    compare.run(
        compare.Options(
            data=options.data,
            weights=options.weights,
            out=options.out,
            model=options.model,
            eval_split=options.eval_split,
            explainers=(),
            generators=tuple(generators),
            refine_steps=0,
            densities=DENSITIES,
            timed_batches=(),
        )
    )
    if jax.process_index() == 0:
        rows = json.loads((options.out / "results.json").read_text())["explainers"]
        (options.out / "ablations.md").write_text(table(rows))
        common.say(table(rows))


def switched(options: GeneratorOptions, changes: Mapping[str, Any]) -> GeneratorOptions:
    """``options`` with ``changes`` to fields of its own or of its objective."""
    own = {field.name for field in dataclasses.fields(options)}
    objective = {name: value for name, value in changes.items() if name not in own}
    return dataclasses.replace(
        options,
        **{name: value for name, value in changes.items() if name in own},
        objective=dataclasses.replace(options.objective, **objective),
    )


def table(rows: Mapping[str, Mapping[str, Any]]) -> str:
    """A Markdown table, one line per variant: mean [interval over the seeds]."""
    names = [f"{metric}, {'own density' if where == 'natural' else f'at {where}'}" for where, metric in SHOWN]
    lines = ["| variant | " + " | ".join(names) + " |", "|---" * (1 + len(SHOWN)) + "|"]
    for name, row in rows.items():
        points: dict[Any, Mapping[str, Any]] = {point["density"]: point for point in row["curve"]}
        points["natural"] = row["natural"]
        cells = [_cell(points[where], metric) for where, metric in SHOWN]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _cell(point: Mapping[str, Any], metric: str) -> str:
    if f"{metric}_runs_low" not in point:
        return f"{point[metric]:.3f}"
    return f"{point[metric]:.3f} [{point[f'{metric}_runs_low']:.3f}, {point[f'{metric}_runs_high']:.3f}]"


if __name__ == "__main__":
    common.main(run, Options, __doc__)
