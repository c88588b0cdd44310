"""A generator without one of its parts, or without one part of its training: variants, several seeds each."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax

from jaxpath.files import write_text
from jaxpath.metrics import METRICS
from jaxpath.runs.comparison import Comparison, Row, compare_explainers, open_classifier, with_interval
from jaxpath.runs.generators import GENERATOR, train_generator
from jaxpath.runs.options import GeneratorOptions
from jaxpath.runs.run import Run, as_config, begin, say
from jaxpath.runs.schedules import with_epochs
from jaxpath.runs.study import Study, known_by
from jaxpath.runs.whole_runs import Cifar10, open_study
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

_DENSITIES = (0.05, 0.1, 0.5, 0.9)
_NATURAL = "natural"
_SHOWN = ((_NATURAL, "fidelity"), (_NATURAL, "density"), (0.05, "fidelity"), (0.5, "fidelity"))
"""Columns of the table: where the scores are cut, and the metric."""


@dataclasses.dataclass(frozen=True, kw_only=True)
class AblationStudy(Cifar10):
    """Switches off one part of the generator or of its training after another, several seeds each.

    Attributes:
        out: Folder of the runs and of the table.
        seeds: Runs of each variant, with the seeds seed, seed + 1, ...
        variants: Which of them; by default all that differ from the complete recipe by one part.
    """

    out: Path = Path("runs/ablations")
    seeds: int = 3
    variants: tuple[str, ...] = tuple(SWITCHES)


def ablate(options: AblationStudy) -> dict[str, Row]:
    """Trains every variant with every seed, compares them on held-out images, and writes the table.

    Left are what :func:`~jaxpath.runs.comparison.compare_explainers` writes, ``ablations.md``, and one folder
    per variant and seed. Variants that are trained already are kept.

    Returns:
        Variant -> its row of ``results.json``.

    Raises:
        InputError: A variant is unknown, or data or weights cannot be opened or do not fit each other.
    """
    unknown = sorted(set(options.variants) - set(SWITCHES))
    if unknown:
        raise InputError(f"--variants got {unknown}; expected some of {list(SWITCHES)}")
    variants = applicable(options)
    study = open_study(options)
    generators = tuple(
        f"{name}:{_train_variant(study, name, seed, options)}"
        for name in variants
        for seed in range(options.seed, options.seed + options.seeds)
    )
    rows = _compare(study, generators, options)
    if jax.process_index() == 0:
        write_text(options.out / "ablations.md", table(rows))
        say(table(rows))
    return rows


def applicable(options: AblationStudy) -> list[str]:
    """The variants to train, checked before the first one is: a budget knows no random densities."""
    variants = []
    for name in options.variants:
        try:
            without_part(options.generator, SWITCHES[name]).objective.check()
        except InputError as error:
            if options.variants != tuple(SWITCHES):
                raise InputError(f"--variants got {name!r}: {error}") from error
            say(f"Without the variant {name!r}: {error}")
        else:
            variants.append(name)
    return variants


def without_part(options: GeneratorOptions, switch: Mapping[str, Any]) -> GeneratorOptions:
    """``options`` with the values of ``switch`` for fields of theirs or of their objective."""
    names = {field.name for field in dataclasses.fields(options)}
    objective = {name: value for name, value in switch.items() if name not in names}
    return dataclasses.replace(
        options,
        **{name: value for name, value in switch.items() if name in names},
        objective=dataclasses.replace(options.objective, **objective),
    )


def table(rows: Mapping[str, Row]) -> str:
    """A Markdown table, one line per variant: mean [interval over the seeds]."""
    labels = {metric.name: metric.label for metric in METRICS}
    headings = [
        f"{labels[metric]}, {'own density' if where == _NATURAL else f'at {where}'}"
        for where, metric in _SHOWN
    ]
    lines = ["| variant | " + " | ".join(headings) + " |", "|---" * (1 + len(_SHOWN)) + "|"]
    for name, row in rows.items():
        points: dict[Any, Row] = {point["density"]: point for point in row["curve"]}
        points[_NATURAL] = row["natural"]
        cells = [with_interval(points[where], metric) for where, metric in _SHOWN]
        lines.append(f"| {name} | {' | '.join(cells)} |")
    return "\n".join(lines) + "\n"


def _train_variant(study: Study, name: str, seed: int, options: AblationStudy) -> Path:
    """The file of one variant's generator, trained unless it is there."""
    folder = options.out / name.replace(" ", "_").replace(",", "") / str(seed)
    file = folder / GENERATOR
    if not file.exists():
        say(f"{name}, seed {seed}")
        settings = without_part(options.generator, SWITCHES[name])
        config = as_config(
            dataclasses.replace(options, seed=seed, generator=settings),
            **known_by(study),
        )
        settings = with_epochs(settings, options.epochs, study.train)
        train_generator(study.target, study.params, study.train, settings, run=Run(folder, seed, config))
    return file


def _compare(study: Study, generators: tuple[str, ...], options: AblationStudy) -> dict[str, Row]:
    comparison = Comparison(
        data=options.data,
        weights=options.weights,
        out=options.out,
        model=options.model,
        num_classes=options.num_classes,
        image_size=options.image_size,
        loading=options.loading,
        data_dir=options.data_dir,
        eval_split=options.eval_split,
        explainers=(),
        generators=generators,
        refine_steps=0,
        densities=_DENSITIES,
        granularity=options.generator.granularity,
        ablation="zero",
        timed_batches=(),
    )
    # In float32, whatever the variants were trained in.
    net = open_classifier(comparison, study.held_out)
    return compare_explainers(net, study.held_out, comparison, run=begin(comparison))
