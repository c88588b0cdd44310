"""What a run of FLINT leaves behind: its evaluation, ``results.json``, arrays, weights and figures."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from common import eval_passes, say
from flint_fitting import FlintOptions, Interpreted
from outcome import write_results

from jaxpath import data, devices, explainers, flint, metrics, report, targets
from jaxpath.pathways import top_fraction
from jaxpath.types import Preprocessing, Target

_SHOWN = 0.1
"""Global relevance from which an attribute is drawn for a class (official code, MNIST)."""

_PATHWAY_DENSITY = 0.25
_PATHWAY_IMAGES = 8
_MOST_PATHWAYS = 12
_SAMPLES = 3
_LOCAL = 12


class Seen(NamedTuple):
    """A random part of the training images, and what it says about the attributes.

    Attributes:
        images: uint8 [N, H, W, C].
        found: Their interpretations.
        relevance: Global relevance [K, J].
    """

    images: np.ndarray
    found: flint.Interpretations
    relevance: np.ndarray


def report_interpreter(
    target: Target,
    trained: Interpreted,
    *,
    held_out: data.Source,
    train: data.Source,
    options: FlintOptions,
    out: Path,
    seed: int,
    config: Mapping[str, Any],
    began: float,
    maximisation: flint.Maximisation = flint.MNIST_MAXIMISATION,
) -> None:
    """Scores an interpreter on images that it has not seen, and writes everything into ``out``.

    Global relevance and the most activating samples come from a random part of ``train``, as published.
    """
    say(f"evaluation: {len(held_out)} held-out images")
    kernel = np.asarray(flint.head_kernel(trained.params))
    found = _interpret(target, trained, held_out, options)
    scores: dict[str, Any] = flint.evaluate(found, kernel)
    seen = _look(target, trained, data.draw(train, options.relevance_images, seed=seed), options)
    dead = flint.dead_attributes(seen.relevance)
    scores |= {
        "dead_attributes": len(dead),
        "num_attributes": kernel.shape[0],
        "num_images": len(found.labels),
    }
    scores["images_per_second"] = trained.fit.images_per_second
    scores["compile_seconds"] = trained.fit.compile_seconds
    names = held_out.class_names
    if jax.process_index() == 0:
        flint.save_interpreter(trained.interpreter, trained.params, target, out / "interpreter.safetensors")
        np.savez_compressed(
            out / "attributes.npz", **found._asdict(), head_kernel=kernel, global_relevance=seen.relevance
        )
    _draw_decisions(out, target, found, kernel, held_out, scores, names, options)
    report.save_figure(
        report.plot_global_relevance(*_shown_classes(seen, names)), out / "global_relevance.png"
    )
    if options.maximised_variation is not None:
        maximisation = maximisation._replace(variation=options.maximised_variation)
    if options.maximised_pairs:
        _draw_attributes(out, target, trained, seen, names, options.maximised_pairs, maximisation)
    scores |= _draw_pathways(out, target, trained, seen, dead)
    write_results(out, scores, config=config, began=began)
    for name in (
        "interpreter_accuracy",
        "cns_1.5",
        "cns_5",
        "dead_attributes",
        "pathway_keeps",
        "random_channels_keep",
    ):
        say(f"  {name:>20} {scores[name]:.3f}")


def _interpret(
    target: Target, trained: Interpreted, source: data.Source, options: FlintOptions
) -> flint.Interpretations:
    return flint.interpret_all(
        target,
        trained.interpreter,
        trained.target_params,
        trained.params,
        _passes(target, source, options),
        mesh=devices.make_mesh(),
    )


def _passes(target: Target, source: data.Source, options: FlintOptions) -> metrics.Batches:
    size = 32 * devices.make_mesh().size
    return eval_passes(source, target, batch_size=size, num_workers=options.num_workers)


def _look(target: Target, trained: Interpreted, source: data.Source, options: FlintOptions) -> Seen:
    found = _interpret(target, trained, source, options)
    images = [batch["image"][batch["weight"] > 0] for batch in _passes(target, source, options)()]
    alpha = flint.contributions(found.attributes, flint.head_kernel(trained.params), found.guessed)
    relevance = flint.global_relevance(
        flint.local_relevance(alpha), found.guessed, num_classes=target.num_classes
    )
    return Seen(np.concatenate(images), found, np.asarray(relevance))


def _shown_classes(seen: Seen, names: tuple[str, ...]) -> tuple[np.ndarray, list[str]]:
    """The classes that were predicted at all, with their names."""
    known = np.flatnonzero(np.isfinite(seen.relevance).all(axis=1))
    return seen.relevance[known], [names[label] for label in known]


def _draw_decisions(
    out: Path,
    target: Target,
    found: flint.Interpretations,
    kernel: np.ndarray,
    held_out: data.Source,
    scores: Mapping[str, float],
    names: tuple[str, ...],
    options: FlintOptions,
) -> None:
    """Draws ``local_relevance.png``, one image per class and two flagged ones, and ``conciseness.png``."""
    agreed = found.guessed == found.predicted
    flagged = np.flatnonzero(~agreed)[: _LOCAL // 6]
    _, first = np.unique(found.guessed[agreed], return_index=True)
    chosen = np.concatenate([np.flatnonzero(agreed)[first][: _LOCAL - len(flagged)], flagged])
    part = data.Subset(held_out, found.indices[chosen])
    images = np.concatenate([b["image"][b["weight"] > 0] for b in _passes(target, part, options)()])
    alpha = flint.contributions(found.attributes[chosen], kernel, found.guessed[chosen])
    figure = report.plot_local_relevance(
        images,
        flint.local_relevance(alpha),
        labels=found.labels[chosen],
        predicted=found.predicted[chosen],
        guessed=found.guessed[chosen],
        class_names=names,
    )
    report.save_figure(figure, out / "local_relevance.png")
    curve = {tau: scores[f"cns_{tau:g}"] for tau in flint.TAUS}
    report.save_figure(report.plot_conciseness({target.name: curve}), out / "conciseness.png")


def _draw_attributes(
    out: Path,
    target: Target,
    trained: Interpreted,
    seen: Seen,
    names: tuple[str, ...],
    most: int,
    options: flint.Maximisation,
) -> None:
    """Draws ``attributes.png``: the pairs of attribute and class that matter most, all attributes first."""
    samples = flint.maximum_activating_samples(
        seen.found.attributes, seen.found.labels, num_classes=target.num_classes, top=_SAMPLES
    )
    pairs = [(c, j) for c, j in _strongest_pairs(seen.relevance) if (samples[c, j] >= 0).all()][:most]
    if not pairs:
        say(f"no attribute is drawn: none has a global relevance above {_SHOWN} and {_SAMPLES} images")
        return
    places = np.concatenate([samples[c, j] for c, j in pairs])
    starts = targets.normalize(jnp.asarray(seen.images[places]), target.preprocessing)
    attributes = np.repeat([j for _, j in pairs], _SAMPLES)
    say(f"activation maximisation of {len(pairs)} attributes from {_SAMPLES} images each")
    raised = flint.maximise_attributes(
        target, trained.interpreter, trained.target_params, trained.params, starts, attributes, options
    )
    pictures = as_pictures(np.asarray(raised), target.preprocessing)
    views = [
        report.AttributeView(
            j,
            c,
            float(seen.relevance[c, j]),
            seen.images[samples[c, j]],
            pictures[_SAMPLES * place : _SAMPLES * (place + 1)],
        )
        for place, (c, j) in enumerate(pairs)
    ]
    report.save_figure(report.plot_attributes(views, names), out / "attributes.png")


def _strongest_pairs(relevance: np.ndarray) -> list[tuple[int, int]]:
    """(class, attribute) by falling relevance above the threshold; the best pair of each attribute first."""
    known = np.nan_to_num(relevance)
    pairs = [(int(c), int(j)) for c, j in np.argwhere(known > _SHOWN)]
    best = known.argmax(axis=0)
    return sorted(pairs, key=lambda pair: (best[pair[1]] != pair[0], -known[pair]))


def as_pictures(images: np.ndarray, preprocessing: Preprocessing) -> np.ndarray:
    """Normalised images [B, H, W, C] as grey pictures [B, H, W, 1] in [0, 1].

    Colours are averaged and stretched over what occurs in each picture (CIFAR-10 is shown so in the official
    code); images that are scaled to [0, 1] are shown as they are.
    """
    if not any(preprocessing.mean):
        return np.clip(images.mean(axis=-1, keepdims=True), 0, 1)
    grey = images.mean(axis=-1, keepdims=True)
    low, high = grey.min(axis=(1, 2, 3), keepdims=True), grey.max(axis=(1, 2, 3), keepdims=True)
    return (grey - low) / np.maximum(high - low, 1e-6)


def _draw_pathways(
    out: Path, target: Target, trained: Interpreted, seen: Seen, dead: list[int]
) -> dict[str, float]:
    """Draws ``attribute_pathways.png``: which channels of the maps that are read carry each live attribute.

    Returns:
        ``pathway_keeps``, what is left of an attribute, on average, when the maps' other channels are
        closed, and ``random_channels_keep``, the same with as many channels drawn at random.
    """
    explained = flint.attribute_target(target, trained.interpreter)
    params = {"target": trained.target_params, "interpreter": trained.params}
    live = [j for j in np.argsort(-np.nan_to_num(seen.relevance).max(axis=0)) if j not in dead][
        :_MOST_PATHWAYS
    ]
    if not live:
        return {"pathway_keeps": float("nan"), "random_channels_keep": float("nan")}
    explain = explainers.make_explainer("taylor_signed", explained, density=1.0)
    chance = explainers.make_explainer("random", explained, density=1.0)
    sites = trained.interpreter.sites

    @jax.jit
    def run(params, images, attributes):
        scores = explain(params, images, attributes, key=jax.random.key(0)).scores
        drawn = chance(params, images, attributes, key=jax.random.key(1)).scores
        own, random = (
            {s.name: top_fraction(v[s.name], _PATHWAY_DENSITY) for s in sites} for v in (scores, drawn)
        )
        phi = (explained.apply(params, images, gates).logits for gates in (None, own, random))
        clean, *masked = (jnp.take_along_axis(values, attributes[:, None], axis=1)[:, 0] for values in phi)
        return own, jnp.stack(masked) / jnp.maximum(clean, 1e-6)[None]

    frequencies, kept = {}, []
    for j in live:
        top = np.argsort(-seen.found.attributes[:, j], kind="stable")[:_PATHWAY_IMAGES]
        masks, share = run(params, seen.images[top], np.full(len(top), j))
        frequencies[int(j)] = {name: np.asarray(mask).mean(axis=0) for name, mask in masks.items()}
        kept.append(np.median(share, axis=1))
    figure = report.plot_class_pathways(
        frequencies,
        sites,
        [f"attribute {j}" for j in range(trained.interpreter.num_attributes)],
        title=f"Pathways of attributes: {_PATHWAY_DENSITY:.0%} of the channels of each map",
    )
    report.save_figure(figure, out / "attribute_pathways.png")
    own, random = np.mean(kept, axis=0)
    return {"pathway_keeps": float(own), "random_channels_keep": float(random)}
