"""The two classifiers, trained or loaded, and how each is explained."""

import dataclasses
from pathlib import Path
from typing import Any, NamedTuple

from jaxpath import data, explainers, targets
from jaxpath.metrics import Method
from jaxpath.runs.architectures.options import TRAINED, ArchitectureComparison
from jaxpath.runs.classifiers import train_classifier
from jaxpath.runs.generators import train_generator
from jaxpath.runs.nets import Net, load_net, refuse_own_target
from jaxpath.runs.run import Run, as_config, say
from jaxpath.runs.study import Study, target_options
from jaxpath.runs.weights_options import WeightsOptions
from jaxpath.types import InputError, Params, Target

_BASELINE_DENSITY = 0.1


class Model(NamedTuple):
    """One of the two.

    Attributes:
        name: In results and figures; the target's, with a number if both are the same.
        target: The classifier.
        weights: Where its weights are; None if it is trained here.
        params: Its parameters by these weights.
        out: Its folder.
        seed: Of its training and its generator's.
        class_names: One name per class, by its weights; empty if they do not say it.
    """

    name: str
    target: Target
    weights: str | None
    params: Params | None
    out: Path
    seed: int
    class_names: tuple[str, ...] = ()


def make_models(options: ArchitectureComparison, source: data.Source) -> list[Model]:
    """The two targets for these data; what is wrong with the options is said before anything is trained.

    Raises:
        InputError: The explainer is unknown, the density is no share, or the targets take different images or
            have their classes in another order.
    """
    known = (TRAINED, *explainers.names())
    if options.explainer not in known:
        raise InputError(f"--explainer is {options.explainer!r}; choose one of {', '.join(known)}")
    if options.density is not None and not 0 < options.density <= 1:
        raise InputError(f"--density is {options.density}; expected a share above 0 and up to 1")
    models = []
    for place, name in enumerate(options.models):
        label = f"{name}-{place + 1}" if len(set(options.models)) == 1 else name
        weights = None if options.weights is None else options.weights[place]
        net = _open(name, weights, source, options)
        models.append(
            Model(
                label,
                net.target,
                weights,
                net.params,
                options.out / label,
                options.seed + place,
                net.class_names,
            )
        )
    sizes = [model.target.preprocessing.crop for model in models]
    if sizes[0] != sizes[1]:
        raise InputError(
            f"{options.models[0]} takes images of {sizes[0]} pixels and {options.models[1]} of {sizes[1]}; "
            "expected the same for both: set --image-size"
        )
    names = [model.class_names for model in models]
    if all(names) and data.contradict(*names):
        raise InputError(
            f"{options.models[0]} has the class {names[0][0]!r} first and {options.models[1]} "
            f"{names[1][0]!r}; expected the same classes in the same order"
        )
    return models


def _open(name: str, weights: str | None, source: data.Source, options: ArchitectureComparison) -> Net:
    """A target with its weights, or without parameters if there are none yet."""
    refuse_own_target(options.loading, why="architectures are compared by the names of the library's own")
    shape = target_options(source, image_size=options.image_size)
    dtype = options.generator.precision
    if weights is not None:
        # The data may list more classes than the weights have.
        shape |= {"image_size": options.image_size, "num_classes": None}
        return load_net(name, weights, options=options.loading, like=source, dtype=dtype, **shape)
    if options.loading != WeightsOptions():
        raise InputError(
            "--state or a flag of preprocessing was given without --weights, whose preprocessing it says; "
            "leave it out"
        )
    return Net(targets.make_target(name, dtype=dtype, **shape), None)


def make_params(model: Model, train: data.Source, options: ArchitectureComparison) -> Params:
    """The model's parameters, from its weights or trained on ``train``."""
    if model.params is not None:
        return model.params
    say(f"{model.name}: trained on {len(train)} images")
    run = Run(model.out / "target", model.seed, _training_config(model, options, "classifier"))
    return train_classifier(model.target, train, options.classifier, run=run)


def make_method(model: Model, study: Study, options: ArchitectureComparison) -> Method:
    """The explainer of a model: a generator that is trained here, or a baseline."""
    settings = options.generator
    if options.explainer != TRAINED:
        density = _BASELINE_DENSITY if options.density is None else options.density
        explain = explainers.make_explainer(
            options.explainer, model.target, density=density, granularity=settings.granularity
        )
        return Method.of(options.explainer, explain, seed=options.seed)
    say(f"{model.name}: generator of its pathways")
    if settings.checkpoints is not None:
        settings = dataclasses.replace(settings, checkpoints=f"{settings.checkpoints}/{model.name}")
    run = Run(model.out, model.seed, _training_config(model, options, "classifier", "generator"))
    trained = train_generator(model.target, study.params, study.train, settings, run=run)
    return trained.method(model.target, density=options.density, seed=options.seed)


def _training_config(model: Model, options: ArchitectureComparison, *parts: str) -> dict[str, Any]:
    """What decides the result of a training: how pathways are explained and scored is no part of it."""
    everything = as_config(options)
    sources = ("data", "train_split", "train_images", "eval_split", "eval_fraction", "image_size", "loading")
    weights = {} if model.weights is None else {"weights": targets.weights_hash(model.weights)}
    return {
        **{name: everything[name] for name in (*parts, *sources)},
        **weights,
        "model": model.target.name,
        "seed": model.seed,
    }
