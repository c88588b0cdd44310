"""What DISCOVER's experiments share: competing units beside their rectified twin, and their words."""

import dataclasses
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import fitting
import jax
import numpy as np
from common import ClassifierOptions, check_data, eval_passes, say, target_options
from discover_planted import planted_top1
from jaxpath.cli.launching import as_json
from outcome import write_results

from jaxpath import data, devices, discover, metrics, targets
from jaxpath.types import Params, Target

_TOP_K = 100
_DESCRIBED = 20
"""Held-out images that descriptions.json holds."""


@dataclasses.dataclass(frozen=True)
class Comparison:
    """A network of competing units and its twin.

    Attributes:
        model: The rectified network.
        competitors: U, of which one wins.
        epochs: Passes over the training images, in place of train_steps.
        twin: Folder of the rectified twin's training, so that several runs share it; None takes twin/ in the
            run's folder.
        embeddings: .npz file with embeddings of the held-out images and of concepts; None names units after
            the classes of the images.
        num_workers: Processes that read images; 0 uses threads.
    """

    model: str
    competitors: int = 4
    epochs: float | None = None
    twin: Path | None = None
    embeddings: Path | None = None
    num_workers: int = 0


def compare(
    comparison: Comparison,
    classifier: ClassifierOptions,
    train: data.Source,
    held_out: data.Source,
    *,
    out: Path,
    seed: int,
    config: Mapping[str, Any],
    began: float,
    image_size: int | None = None,
) -> None:
    """Trains both networks with the same budget, names their units, and writes everything into ``out``."""
    embeddings = None
    if comparison.embeddings is not None:
        embeddings = discover.load_embeddings(comparison.embeddings)
    options = target_options(train, image_size=image_size)
    if comparison.epochs is not None:
        steps = max(1, round(comparison.epochs * len(train) / classifier.train_batch_size))
        classifier = dataclasses.replace(classifier, train_steps=steps)
    name = targets.competing_name(comparison.model, comparison.competitors)
    pair = {name: out, comparison.model: comparison.twin or out / "twin"}
    found = {}
    for model, folder in pair.items():
        target = targets.make_target(model, **options)
        check_data(target, train, held_out)
        say(f"{model}: {classifier.train_steps} steps of {classifier.train_batch_size}")
        params = fitting.train_classifier(
            target,
            train,
            classifier,
            out=folder,
            seed=seed,
            config={"model": model, "seed": seed, "classifier": config["classifier"], "data": config["data"]},
        )
        found[model] = measure(
            target, params, held_out, embeddings, num_workers=comparison.num_workers, seed=seed
        )
        by_draws = found[model].results["accuracy_by_draws"]
        say("  accuracy by draws: " + ", ".join(f"{n}: {share:.4f}" for n, share in by_draws.items()))
        if model == name and jax.process_index() == 0:
            _write(out, found[model])
    competing, twin = found[name].results, found[comparison.model].results
    results = {
        **competing,
        "accuracy": max(competing["accuracy_by_draws"].items())[1],
        **{f"relu_{key}": twin[key] for key in ("active_share", "purity", "outputs_top1")},
        "relu_accuracy": twin["accuracy_by_draws"][0],
        "planted_top1": planted_top1(seed),
        "num_images": len(held_out),
    }
    write_results(out, results, config=config, began=began)
    for key in ("accuracy", "relu_accuracy", "active_share", "planted_top1", "outputs_top1", "purity"):
        say(f"  {key:>16} {results[key]:.4f}")


@dataclasses.dataclass(frozen=True)
class Measured:
    """A network on the held-out images.

    Attributes:
        results: The figures.
        names: Site -> names of its units.
        descriptions: Of some images, by the winners of the last site; empty for a rectified network.
    """

    results: dict[str, Any]
    names: Mapping[str, discover.UnitNames]
    descriptions: list[dict[str, Any]]


def measure(
    target: Target,
    params: Params,
    held_out: data.Source,
    embeddings: discover.Embeddings | None,
    *,
    num_workers: int,
    seed: int,
) -> Measured:
    """Accuracy by the number of draws, active share, and how well the units of the last site are named.

    Units are recorded in one draw per image, as in the official code.
    """
    mesh = devices.make_mesh()
    batches: metrics.Batches = eval_passes(
        held_out, target, batch_size=32 * mesh.size, num_workers=num_workers
    )
    drawn = discover.evaluate_draws(target, params, batches, mesh=mesh, seed=seed)
    key = None if target.sample_apply is None else jax.random.key(seed)
    activity = discover.record_activity(target, params, batches, mesh=mesh, key=key)
    labels = np.zeros(len(held_out), np.int64)
    labels[activity.indices] = activity.labels
    classes = discover.label_embeddings(labels, held_out.class_names)
    top_k = max(1, min(_TOP_K, len(activity.labels) // target.num_classes))
    similarity = discover.bind("soft_wpmi", key=jax.random.key(seed), top_k=top_k)
    by_class = discover.dissect(activity, classes, similarity=similarity)
    last = target.sites[-1].name
    purity = discover.class_purity(by_class[last].index, activity.channels[last], activity.labels, top=top_k)
    outputs = by_class[discover.OUTPUTS]
    results: dict[str, Any] = {
        "accuracy_by_draws": drawn.accuracy,
        "active_share": drawn.active_share,
        "active_share_by_site": drawn.active_by_site,
        "outputs_top1": float((outputs.index == np.arange(target.num_classes)).mean()),
        "purity": float(purity.mean()),
        "dead_units": int((~by_class[last].valid).sum()),
    }
    names = by_class if embeddings is None else discover.dissect(activity, embeddings, similarity=similarity)
    if last not in activity.won:
        return Measured(results, names, [])
    acts, won = activity.channels[last], activity.won[last]
    _, size = targets.split_name(target.name)
    winners = won.reshape(len(won), -1, size).argmax(axis=2)
    if target.sites[-1].spatial is None:
        blocks = acts.reshape(*winners.shape, size)
        passed = np.take_along_axis(blocks, winners[:, :, None], axis=2)[:, :, 0]
        results["negative_winners"] = float((passed < 0).mean())
        results["wrong_by_largest_value"] = float((blocks.argmax(axis=2) != winners).mean())
        results["zero_winners"] = float((passed == 0).mean())
    descriptions = [
        {
            "image": held_out.name(int(activity.indices[row])),
            "units": discover.describe_image(names[last], acts[row], winners[row], block_size=size),
        }
        for row in range(min(_DESCRIBED, len(acts)))
    ]
    return Measured(results, names, descriptions)


def _write(out: Path, measured: Measured) -> None:
    """``words.json``, which ``jaxpath explain --words`` takes, and ``descriptions.json``."""
    discover.save_words(measured.names, out / "words.json")
    (out / "descriptions.json").write_text(as_json(measured.descriptions), encoding="utf-8")
