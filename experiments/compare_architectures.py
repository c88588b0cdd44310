r"""Explains the same images by two architectures, and shows how their pathways differ.

    python experiments/compare_architectures.py --models resnet18 vgg11_bn --data mnist.npz \
        --out runs/architectures

Two networks have no neuron in common. What their pathways may have in common is measured here: how dense they
are at which relative depth, which classes share neurons (the correlation of the two class-by-class IoU
matrices, with Mantel's test), whether class pathways transfer, how much they leak, and whether the gradient
through them reaches the same pixels, beside the same for another image and for the gradient of the whole
network.

Classifiers and generators are trained here and kept in the output folder, one folder per model: the same
command continues where it was stopped, and another ``--explainer`` or ``--density`` uses them again. The same
model twice compares two seeds, which tells how much of a difference is the architecture's. Written are
``results.json``, ``architectures.png`` and each model's ``pathways.npz``.
"""

import dataclasses
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import common
import fitting
import jax
import numpy as np
import outcome
from common import ClassifierOptions, GeneratorOptions

from jaxpath import data, devices, explainers, gencnp, metrics, report, targets
from jaxpath.types import Explainer, InputError, Params, Target

GENERATOR = "gencnp"
"""The explainer that is trained here."""

BASELINE_DENSITY = 0.1
MOST_EXAMPLES = 8


@dataclasses.dataclass(frozen=True)
class Options(common.Launch):
    """A comparison of two architectures.

    Attributes:
        data: digits, npz:FILE, folder:PATH, tar:FILE or tfds:NAME.
        models: Names of the two targets; one name twice compares two seeds.
        weights: The targets' weights, two files or hf://owner/name; by default they are trained here.
        out: Folder of the run; the same command continues a run that was stopped.
        data_dir: Where TFDS data sets are prepared.
        train_images: Further training images: a folder or a tar file of class folders.
        eval_split: Split that is scored; None holds out a tenth of the training images.
        images: Scores so many images, drawn at random; None takes all.
        image_size: Side of the square images that the targets take; None keeps their own.
        explainer: gencnp, for which a generator is trained for each target, or the name of a baseline.
        density: Fraction of neurons to open; None: a generator's own for every image, or 0.1 for a baseline.
        seed: Of the first model's initialisation and order, of the images and all draws; the second model
            takes the next one.
    """

    data: str
    models: tuple[str, str] = ("resnet18", "vgg11_bn")
    weights: tuple[str, str] | None = None
    out: Path = Path("runs/architectures")
    data_dir: str | None = None
    train_images: str | None = None
    eval_split: str | None = "test"
    images: int | None = 1000
    image_size: int | None = None
    explainer: str = GENERATOR
    density: float | None = None
    seed: int = 0
    classifier: ClassifierOptions = dataclasses.field(
        default_factory=lambda: ClassifierOptions(
            train_steps=200, train_batch_size=64, train_learning_rate=1e-3
        )
    )
    generator: GeneratorOptions = dataclasses.field(
        default_factory=lambda: GeneratorOptions(steps=300, augment="shift")
    )


class Model(NamedTuple):
    """One of the two.

    Attributes:
        name: In results and figures; the target's, with a number if both are the same.
        target: The classifier.
        weights: Where its weights are; None if it is trained here.
        out: Its folder.
        seed: Of its training and its generator's.
    """

    name: str
    target: Target
    weights: str | None
    out: Path
    seed: int


class Study(NamedTuple):
    """What is known of one model.

    Attributes:
        found: Metrics.
        records: The explained images.
        densities: Share of open channels over relative depth, [N_images, P].
        iou: Class-by-class overlaps of its pathways, [K, K].
        saliency: Maps by kind, [N_images, H, W].
    """

    found: dict[str, Any]
    records: metrics.Records
    densities: np.ndarray
    iou: np.ndarray
    saliency: dict[str, np.ndarray]


def run(options: Options) -> None:
    """Data, models, studies of each, their comparison and the figure."""
    began = time.perf_counter()
    train, held_out = open_images(options)
    models = make_models(options, train)
    common.check_data(models[0].target, train, held_out)
    params = [get_params(model, train, options) for model in models]
    studies = [study(*pair, train, held_out, options) for pair in zip(models, params, strict=True)]
    classes = np.union1d(studies[0].records.predicted, studies[1].records.predicted)
    comparison = compare(*studies, classes=classes, seed=options.seed)
    if jax.process_index() == 0:
        batch = next(iter(outcome.passes(held_out, models[0].target, options.generator)()))
        draw(options.out, models, studies, classes, comparison, batch, held_out.class_names)
    print_table(models, studies, comparison)
    results = {
        "models": {model.name: found.found for model, found in zip(models, studies, strict=True)},
        "comparison": comparison,
        "num_images": len(studies[0].records.labels),
    }
    outcome.write_results(options.out, results, config=common.as_config(options), began=began)


def open_images(options: Options) -> tuple[data.Source, data.Source]:
    """The images to learn from and the images to explain."""
    train, held_out = common.open_data(
        options.data,
        eval_split=options.eval_split,
        seed=options.seed,
        data_dir=options.data_dir,
        train_images=options.train_images,
    )
    if options.images is not None:
        held_out = data.draw(held_out, options.images, seed=options.seed)
    return train, held_out


def make_models(options: Options, source: data.Source) -> list[Model]:
    """The two targets for these data; what is wrong with the options is said before anything is trained.

    Raises:
        InputError: The explainer is unknown, the density is no share, or the targets take different images.
    """
    known = (GENERATOR, *explainers.names())
    if options.explainer not in known:
        raise InputError(f"--explainer is {options.explainer!r}; choose one of {', '.join(known)}")
    if options.density is not None and not 0 < options.density <= 1:
        raise InputError(f"--density is {options.density}; expected a share above 0 and up to 1")
    chosen = common.target_options(source, image_size=options.image_size)
    models = []
    for place, name in enumerate(options.models):
        target = targets.make_target(name, dtype=options.generator.precision, **chosen)
        label = f"{name}-{place + 1}" if len(set(options.models)) == 1 else name
        weights = None if options.weights is None else options.weights[place]
        models.append(Model(label, target, weights, options.out / label, options.seed + place))
    sizes = [model.target.preprocessing.crop for model in models]
    if sizes[0] != sizes[1]:
        raise InputError(
            f"{options.models[0]} takes images of {sizes[0]} pixels and {options.models[1]} of {sizes[1]}; "
            "expected the same for both: set --image-size"
        )
    return models


def study(model: Model, params: Params, train: data.Source, held_out: data.Source, options: Options) -> Study:
    """Explains the held-out images by one model, and scores the pathways."""
    make_explainer, explainer_params = get_explainer(model, params, train, options)
    common.say(f"{model.name}: {len(held_out)} images explained by {options.explainer}")
    explained = (model.target, params, make_explainer, explainer_params)
    found, records, frequencies = outcome.evaluate(
        *explained, held_out=held_out, train=train, options=options.generator, seed=options.seed
    )
    batches = outcome.passes(held_out, model.target, options.generator)
    saliency = saliency_maps(*explained, batches, seed=options.seed)
    densities = metrics.density_over_depth(records.masks, model.target.sites)
    low, high = np.percentile(densities, [10, 90], axis=0)
    found["density_over_depth"] = {
        "depth": np.linspace(0, 1, densities.shape[1]).tolist(),
        "mean": densities.mean(axis=0).tolist(),
        "percentile_10": low.tolist(),
        "percentile_90": high.tolist(),
    }
    iou = metrics.class_similarity(records.masks, records.predicted, model.target.num_classes).matrix
    found["iou_matrix"] = iou.tolist()
    found["blank_saliency"] = float((saliency["pathway"] == 0).all(axis=(1, 2)).mean())
    if jax.process_index() == 0:
        model.out.mkdir(parents=True, exist_ok=True)
        outcome.write_pathways(model.out, model.target, records, frequencies)
    return Study(found, records, densities, iou, saliency)


def get_params(model: Model, train: data.Source, options: Options) -> Params:
    """The model's parameters, from its weights or trained here."""
    if model.weights is not None:
        return targets.load_weights(model.target, model.weights)
    common.say(f"{model.name}: trained on {len(train)} images")
    return fitting.train_classifier(
        model.target,
        train,
        options.classifier,
        out=model.out / "target",
        seed=model.seed,
        config=training_config(model, options, "classifier"),
    )


def get_explainer(
    model: Model, params: Params, train: data.Source, options: Options
) -> tuple[metrics.MakeExplainer, Params]:
    """``explainer_params -> Explainer``, and the parameters: of the generator trained here, or none."""
    chosen = options.generator
    if options.explainer != GENERATOR:
        explain = explainers.make_explainer(
            options.explainer,
            model.target,
            density=BASELINE_DENSITY if options.density is None else options.density,
            granularity=chosen.granularity,
        )
        return lambda _: explain, {}
    common.say(f"{model.name}: generator of its pathways")
    if chosen.checkpoints is not None:
        chosen = dataclasses.replace(chosen, checkpoints=f"{chosen.checkpoints}/{model.name}")
    trained = fitting.train_generator(
        model.target,
        params,
        train,
        chosen,
        out=model.out,
        seed=model.seed,
        config=training_config(model, options, "classifier", "generator"),
    )

    def make_explainer(weights: Params) -> Explainer:
        return gencnp.make_gencnp(model.target, trained.generator, weights, density=options.density)

    return make_explainer, trained.params


def training_config(model: Model, options: Options, *parts: str) -> dict[str, Any]:
    """What decides the result of a training: how pathways are explained and scored is no part of it."""
    everything = common.as_config(options)
    parts = (*parts, "data", "train_images", "eval_split", "image_size")
    weights = {} if model.weights is None else {"weights": targets.weights_hash(model.weights)}
    return {
        **{name: everything[name] for name in parts},
        **weights,
        "model": model.target.name,
        "seed": model.seed,
    }


def saliency_maps(
    target: Target,
    params: Params,
    make_explainer: metrics.MakeExplainer,
    explainer_params: Params,
    batches: metrics.Batches,
    *,
    seed: int,
) -> dict[str, np.ndarray]:
    """Saliency of each image's predicted class through its pathway and through the whole network.

    Returns:
        ``pathway`` and ``gradient``, [N_images, H, W] each. The pathways are those of the records.
    """

    def evaluate(both: tuple[Params, Params], batch: Mapping[str, jax.Array]) -> dict[str, jax.Array]:
        params, explainer_params = both
        explain = make_explainer(explainer_params)
        clean, pathway = metrics.explain_batch(target, params, explain, batch, seed=seed)
        here = target, params, batch["image"], clean.logits.argmax(axis=-1)
        return {
            "pathway": explainers.pathway_saliency(*here, pathway.masks),
            "gradient": explainers.pathway_saliency(*here, None),
        }

    found = metrics.per_image(evaluate, (params, explainer_params), batches, mesh=devices.make_mesh())
    return {kind: found[kind] for kind in ("pathway", "gradient")}


def compare(first: Study, second: Study, *, classes: np.ndarray, seed: int) -> dict[str, Any]:
    """What the two have in common; ``classes`` are those that one of them predicts."""
    same = first.records.predicted == second.records.predicted
    block = np.ix_(classes, classes)
    correlation = metrics.matrix_correlation(first.iou[block], second.iou[block], seed=seed)
    gap = np.abs(first.densities.mean(axis=0) - second.densities.mean(axis=0))
    return {
        "same_prediction": float(same.mean()),
        "density_gap": float(gap.mean()),
        "iou_correlation": correlation._asdict(),
        "saliency": {
            kind: compare_saliency(maps[same], second.saliency[kind][same], seed=seed)
            for kind, maps in first.saliency.items()
        },
    }


def compare_saliency(first: np.ndarray, second: np.ndarray, *, seed: int) -> dict[str, float]:
    """Mean agreement of maps [N_images, H, W] of the images that both models put into one class.

    Images without saliency in one of the models have no agreement; ``num_images`` is how many are left.
    """
    found = metrics.saliency_agreement(first, second, seed=seed) if len(first) > 1 else np.empty((2, 0))
    matched, mismatched = (values[np.isfinite(values)] for values in found)
    if min(matched.size, mismatched.size) < 2:
        return {"matched": float("nan"), "mismatched": float("nan"), "num_images": matched.size}
    interval = metrics.image_interval(matched, seed=seed)
    return {
        "matched": interval.mean,
        "matched_low": interval.low,
        "matched_high": interval.high,
        "mismatched": float(mismatched.mean()),
        "num_images": matched.size,
    }


def draw(
    out: Path,
    models: Sequence[Model],
    studies: Sequence[Study],
    classes: np.ndarray,
    comparison: Mapping[str, Any],
    batch: Mapping[str, np.ndarray],
    class_names: tuple[str, ...],
) -> None:
    """Draws ``architectures.png``, with examples from the first batch of the explained images."""
    images = batch["image"][batch["weight"] > 0]
    labels = studies[0].records.labels
    chosen = outcome.one_per_class(labels[: len(images)], limit=MOST_EXAMPLES)
    shown = [
        report.Architecture(
            name=model.name,
            densities=found.densities,
            iou=found.iou[np.ix_(classes, classes)],
            saliency=found.saliency["pathway"][chosen],
            predictions=found.records.predicted[chosen].tolist(),
            clean=found.records.clean_confidence[chosen].tolist(),
            masked=found.records.masked_confidence[chosen].tolist(),
        )
        for model, found in zip(models, studies, strict=True)
    ]
    figure = report.plot_architectures(
        *shown,
        images=images[chosen],
        labels=labels[chosen].tolist(),
        classes=classes.tolist(),
        class_names=class_names,
        correlation=comparison["iou_correlation"],
    )
    report.save_figure(figure, out / "architectures.png")
    common.say(f"figure: {out / 'architectures.png'}")


def print_table(models: Sequence[Model], studies: Sequence[Study], comparison: Mapping[str, Any]) -> None:
    """The main figures of both models side by side, and of their comparison."""
    common.say(" " * 18 + " ".join(f"{model.name:>12}" for model in models))
    for name in (
        "target_accuracy",
        "fidelity",
        "density",
        "leakage",
        "aciou",
        "between_iou",
        "blank_saliency",
    ):
        common.say(f"{name:>18} " + " ".join(f"{found.found[name]:12.3f}" for found in studies))
    iou = comparison["iou_correlation"]
    common.say(
        f"class-by-class IoU: Pearson {iou['pearson']:.2f} (p {iou['pearson_p']:.4f}), "
        f"Spearman {iou['spearman']:.2f} (p {iou['spearman_p']:.4f})"
    )
    for kind, found in comparison["saliency"].items():
        common.say(
            f"saliency, {kind}: agreement {found['matched']:.3f} on the same image, "
            f"{found['mismatched']:.3f} on another ({found['num_images']} images)"
        )


if __name__ == "__main__":
    common.main(run, Options, __doc__)
