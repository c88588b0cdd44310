"""The explainer that a command's options name."""

import dataclasses
from pathlib import Path

from jaxpath import explainers, gencnp, runs
from jaxpath.cli.options import DENSITY, MethodOptions, TargetOptions
from jaxpath.files import sha256_of
from jaxpath.fills import References
from jaxpath.metrics import Method
from jaxpath.types import Explainer, Params, Target


def make_method(
    net: runs.Net,
    options: MethodOptions,
    classifier: TargetOptions,
    out: Path,
    *,
    references: References | None = None,
    against: int | None = None,
) -> Method:
    """The explainer that the options name; trains a generator first if they say so.

    Args:
        net: The classifier.
        options: Those of the method.
        classifier: Those that the classifier was opened with.
        out: The output folder.
        references: Pictures of other classes, for a search against them.
        against: The class rather than which others are explained; None: rather than all others.

    Raises:
        InputError: The options contradict each other, or the generator is missing or for another classifier.
    """
    target = net.target
    if options.train_on is None and options.generator is None:
        density = DENSITY if options.density is None else options.density
        baseline = explainers.BASELINES[options.explainer]
        searched = baseline.contrastive and references is not None
        name = f"{options.explainer} at density {density:g}{' against other pictures' if searched else ''}"

        def search(references: References | None) -> Explainer:
            more = {"references": references} if searched else {}

            def make(target: Target) -> Explainer:
                return baseline.make(target, density=density, **more)

            return make(target) if against is None else explainers.make_rival(target, make, against=against)

        # Says at once what is wrong with the density.
        search(None if not searched else references)
        return Method(name, search, references if searched else {}, options.seed, baseline.slow)
    path = out / "generator" if options.generator is None else options.generator
    if options.train_on is not None:
        runs.run_generator(_training(target, options, classifier, path))
    path = runs.generator_file(path)
    generator, params, *_ = runs.load_generator(path, target, params=net.params)

    def make(params: Params) -> Explainer:
        return gencnp.make_gencnp(target, generator, params, density=options.density)

    cut = "with each picture's own density" if options.density is None else f"at density {options.density:g}"
    return Method(f"GEN-CNP generator {sha256_of(path)[:12]} {cut}", make, params, options.seed)


def _training(
    target: Target, options: MethodOptions, classifier: TargetOptions, out: Path
) -> runs.GeneratorRun:
    """The run on photographs, with its own defaults, on the data of ``--train-on``."""
    assert options.train_on is not None
    run = runs.Imagenet(data=options.train_on, weights=classifier.weights)
    return dataclasses.replace(
        run,
        model=target.name,
        num_classes=target.num_classes,
        image_size=classifier.image_size,
        loading=classifier.loading,
        ignore_exif=classifier.ignore_exif,
        out=out,
        seed=options.seed,
        generator=dataclasses.replace(run.generator, steps=options.train_steps),
    )
