"""What a run leaves behind: the evaluation of a trained generator, ``results.json``, arrays and figures."""

import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from common import GeneratorOptions, eval_passes, say
from fitting import Trained

from jaxpath import data, devices, gencnp, metrics, report
from jaxpath.cli.launching import as_json
from jaxpath.cli.manifest import environment
from jaxpath.pathways import site_arrays, unflatten
from jaxpath.types import Params, Target

_MOST_CLASSES = 12
"""Class pathways that one figure shows."""


def report_generator(
    target: Target,
    target_params: Params,
    trained: Trained,
    *,
    held_out: data.Source,
    train: data.Source,
    options: GeneratorOptions,
    out: Path,
    seed: int,
    config: Mapping[str, Any],
    began: float,
) -> None:
    """Scores a trained generator on images that it has not seen, and writes everything into ``out``.

    Class pathways are learned from a random part of ``train`` and transferred to the held-out images.
    """
    say(f"evaluation: {len(held_out)} held-out images")

    def make_explainer(params: Params):
        return gencnp.make_gencnp(target, trained.generator, params)

    found, records, frequencies = evaluate(
        target,
        target_params,
        make_explainer,
        trained.params,
        held_out=held_out,
        train=train,
        options=options,
        seed=seed,
    )
    examples = next(iter(passes(held_out, target, options)()))
    if jax.process_index() == 0:
        write_pathways(out, target, records, frequencies)
        draw_pathways(out, target, records, frequencies, examples, held_out.class_names)
    found["num_images"] = len(records.labels)
    found["unreadable_images"] = len(trained.unreadable) + len(held_out) - len(records.labels)
    found["images_per_second"] = trained.fit.images_per_second
    found["compile_seconds"] = trained.fit.compile_seconds
    found["input_seconds"] = trained.fit.input_seconds
    write_results(out, found, config=config, began=began)


class Evaluation(NamedTuple):
    """An explainer on held-out images.

    Attributes:
        found: The metrics, with ``transfer`` where there are class pathways.
        records: The explained images.
        frequencies: How often the pathways of each class keep each channel, [K, N]; None if no class
            pathways are learned.
    """

    found: dict[str, Any]
    records: metrics.Records
    frequencies: np.ndarray | None


def evaluate(
    target: Target,
    params: Params,
    make_explainer: metrics.MakeExplainer,
    explainer_params: Params,
    *,
    held_out: data.Source,
    train: data.Source,
    options: GeneratorOptions,
    seed: int,
) -> Evaluation:
    """Scores an explainer on ``held_out`` and transfers class pathways to it from a random part of ``train``.

    Of ``options`` it takes the size of that part and how images are read.
    """
    mesh = devices.make_mesh()

    def explain(batches: metrics.Batches) -> metrics.Records:
        return metrics.explain_all(
            target, params, make_explainer, explainer_params, batches, mesh=mesh, seed=seed
        )

    batches = passes(held_out, target, options)
    records = explain(batches)
    found = metrics.evaluate_records(target, params, records, batches, mesh=mesh, seed=seed)
    frequencies = None
    if options.class_pathway_images:
        source = explain(passes(data.draw(train, options.class_pathway_images, seed=seed), target, options))
        frequencies = metrics.source_frequencies(source, target.num_classes)
        found["transfer"] = metrics.transfer(
            target, params, frequencies, records, batches, mesh=mesh, seed=seed
        )
    return Evaluation(found, records, frequencies)


def passes(source: data.Source, target: Target, options: GeneratorOptions) -> metrics.Batches:
    """Passes over ``source`` as ``options`` say that images are read."""
    return eval_passes(
        source,
        target,
        batch_size=options.batch_size,
        num_workers=options.num_workers,
        skip_unreadable=options.skip_unreadable,
    )


def write_results(out: Path, found: Mapping[str, Any], *, config: Mapping[str, Any], began: float) -> None:
    """Writes ``results.json``: metrics, seconds, configuration, versions and device; prints the main ones."""
    results = {
        **found,
        "seconds": time.perf_counter() - began,
        "config": dict(config),
        **environment(),
    }
    if jax.process_index() == 0:
        (out / "results.json").write_text(as_json(results))
    for name in (
        "target_accuracy",
        "fidelity",
        "density",
        "leakage",
        "retention",
        "aciou",
        "between_iou",
        "mdc",
    ):
        if name in found:
            say(f"  {name:>16} {found[name]:.3f}")
    if found.get("collapsed_sites"):
        say(
            f"  warning: the gates of {', '.join(found['collapsed_sites'])} are the same, all 0 or all 1, "
            "for every image: these sites tell nothing about any of them"
        )
    say(f"results: {out / 'results.json'}")


def write_pathways(
    out: Path, target: Target, records: metrics.Records, frequencies: np.ndarray | None
) -> None:
    """Writes ``pathways.npz``: every held-out image's record, the sites, and the class frequencies."""
    arrays = {**records._asdict(), **site_arrays(target.sites)}
    if frequencies is not None:
        arrays["class_frequencies"] = frequencies
    np.savez_compressed(out / "pathways.npz", **arrays)


def draw_pathways(
    out: Path,
    target: Target,
    records: metrics.Records,
    frequencies: np.ndarray | None,
    examples: Mapping[str, np.ndarray],
    class_names: tuple[str, ...],
) -> None:
    """Draws ``pathways.png``, ``density_per_site.png`` and, with frequencies, ``class_pathways.png``.

    Args:
        out: Folder of the run.
        target: The classifier.
        records: The explained images.
        frequencies: Class frequencies [K, N], or None.
        examples: The first batch of the explained images.
        class_names: Of the K classes.
    """
    # A batch may hold padding and images that were passed over; records hold neither.
    images = examples["image"][examples["weight"] > 0]
    chosen = one_per_class(records.predicted[: len(images)], limit=8)
    masks = unflatten(records.masks.astype(np.float32), target.sites)
    figure = report.plot_pathways(
        images[chosen],
        {name: mask[chosen] for name, mask in masks.items()},
        target.sites,
        labels=records.labels[chosen].tolist(),
        predictions=records.predicted[chosen].tolist(),
        clean=records.clean_confidence[chosen].tolist(),
        masked=records.masked_confidence[chosen].tolist(),
        class_names=class_names,
    )
    report.save_figure(figure, out / "pathways.png")
    report.save_figure(report.plot_density_per_site(masks, target.sites), out / "density_per_site.png")
    if frequencies is not None:
        known = np.flatnonzero(np.isfinite(frequencies).all(axis=1))[:_MOST_CLASSES]
        similarity = metrics.class_similarity(records.masks, records.predicted, target.num_classes)
        figure = report.plot_class_pathways(
            {int(label): unflatten(frequencies[label], target.sites) for label in known},
            target.sites,
            class_names,
            iou=similarity.matrix[np.ix_(known, known)],
        )
        report.save_figure(figure, out / "class_pathways.png")
    say(f"figures: {out / 'pathways.png'}")


def one_per_class(classes: np.ndarray, *, limit: int) -> np.ndarray:
    """Positions of the first image of each class, in the order of the classes."""
    _, first = np.unique(classes, return_index=True)
    return first[:limit]
