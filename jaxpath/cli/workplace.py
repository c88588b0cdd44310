"""What a command works with, made alike for all: session, method, and what was made with them."""

import dataclasses
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from tqdm import tqdm

from jaxpath import data, explainers, gencnp, metrics, report, runs, targets
from jaxpath.cli.options import DENSITY, MethodOptions, TargetOptions
from jaxpath.devices import check_batch_size, make_mesh
from jaxpath.files import sha256_of
from jaxpath.fills import References
from jaxpath.findings import knows_classes
from jaxpath.metrics import Method, Session
from jaxpath.runs import warn
from jaxpath.runs.manifest import report_details, write_manifest
from jaxpath.types import Explainer, InputError, Params, Target

_MOST_OTHERS = 256
"""Pictures whose mean activations are taken, and among which references are chosen."""

_CLOSED = {
    "zero": "",
    "mean": "; closed channels hold their mean",
    "interchange": "; closed channels hold what a picture of another class has there",
}
"""What a page says after the name of the method."""

_CPU_BATCH = 4
_ACCELERATOR_BATCH = 32


class Workplace(NamedTuple):
    """What a command works with.

    Attributes:
        session: The classifier on its devices.
        method: How pathways are found.
        out: The output folder.
        weights: Path or address of the classifier's weights.
        identity: SHA-256 of these, or of the program and the parameters of a classifier of the user's own.
        class_names: One name per class; empty if nobody has named them.
        began: When the command began, by ``time.perf_counter``.
        origin: Who says which preprocessing the classifier has.
    """

    session: Session
    method: Method
    out: Path
    weights: str
    identity: str
    class_names: tuple[str, ...]
    began: float
    origin: str

    @property
    def target(self) -> Target:
        """The classifier."""
        return self.session.target

    @property
    def seconds(self) -> float:
        """Seconds since the command began."""
        return time.perf_counter() - self.began

    def setting(
        self,
        *,
        reference: str = "",
        warnings: Sequence[str] = (),
        left_out: Sequence[str] = (),
    ) -> report.Setting:
        """What a page says about how it was made.

        Args:
            reference: What pictures are compared with.
            warnings: That the classifier is at chance.
            left_out: What no channel could be named after.
        """
        return report.Setting(
            model=self.target.name,
            sites=self.target.sites,
            class_names=self.class_names,
            method=f"{self.method.name}{_CLOSED[self.session.fill.name]}",
            reference=reference,
            details=report_details(
                self.weights,
                self.identity,
                self.method.seed,
                preprocessing=f"{targets.describe_preprocessing(self.target.preprocessing)}; {self.origin}",
            ),
            caveats=[*report.warning_caveats(warnings), *report.left_out_caveats(left_out)],
        )

    def write_manifest(self, **facts: Any) -> None:
        """Writes ``manifest.json``: classifier, method, ``facts``, seconds, versions and device."""
        write_manifest(
            self.out,
            weights={"path": self.weights, "sha256": self.identity},
            model=self.target.name,
            preprocessing=runs.preprocessing_facts(self.target, self.origin),
            method=self.method.name,
            ablation=self.session.fill.name,
            seed=self.method.seed,
            **facts,
            seconds=round(self.seconds, 1),
        )


def set_up(
    classifier: runs.Net,
    options: TargetOptions,
    method: MethodOptions,
    *,
    out: Path,
    class_names: tuple[str, ...],
    began: float,
    others: data.Source | None,
) -> Workplace:
    """Makes the session and the method; trains a generator first if the options say so.

    Args:
        classifier: The target and its parameters, of :func:`~jaxpath.cli.opening.open_classifier`.
        options: Those that it was opened with.
        method: How pathways are found.
        out: The output folder.
        class_names: One name per class; none takes those of the weights.
        began: When the command began, by ``time.perf_counter``.
        others: Pictures from which closed channels may take their values, and against which pathways may be
            searched.

    Raises:
        InputError: The options contradict each other, or ask for other pictures where there are none.
    """
    session = make_session(classifier.target, classifier.params, method.batch_size)
    references = _references(session, method, others)
    if references is not None:
        session = session._replace(fill=references.fill(method.ablation))
    return Workplace(
        session=session,
        method=make_method(classifier, method, options, out, references=references),
        out=out,
        weights=options.weights or f"--target {options.loading.target}",
        identity=classifier.identity,
        class_names=class_names or classifier.class_names,
        began=began,
        origin=classifier.origin,
    )


def warn_of_chance(
    target: Target, source: data.Source, predicted: np.ndarray, labels: np.ndarray
) -> list[str]:
    """Warns on the terminal if the classifier is at chance; returns the warnings for page and manifest.

    Args:
        target: The classifier.
        source: The pictures; if their labels are not its classes, they say nothing.
        predicted: int [N], clean predictions of some or all of them.
        labels: int [N].
    """
    unlisted = source.labels is None and source.num_classes == target.num_classes
    if not unlisted and not knows_classes(source, target.num_classes):
        return []
    warnings = metrics.chance_warnings(predicted, labels, target.num_classes)
    for warning in warnings:
        warn(warning)
    return warnings


def make_session(target: Target, params: Params, batch_size: int | None) -> Session:
    """The classifier on all devices, with a progress bar on the terminal; None chooses a batch size."""
    mesh = make_mesh()
    each = _CPU_BATCH if mesh.devices.flat[0].platform == "cpu" else _ACCELERATOR_BATCH
    size = each * mesh.size if batch_size is None else batch_size
    check_batch_size(size, mesh)
    # Several programs call the same function on arrays of the same shapes: it is traced once for all.
    return Session(target._replace(apply=jax.jit(target.apply)), params, mesh, size, watch=watch)


def _references(session: Session, method: MethodOptions, others: data.Source | None) -> References | None:
    """Reference pictures, if the options ask for any.

    Raises:
        InputError: They ask for some and there are none.
    """
    baseline = explainers.BASELINES.get(method.explainer)
    learned = method.generator is not None or method.train_on is not None
    searched = not learned and baseline is not None and baseline.contrastive
    if method.ablation == "zero" and not searched:
        return None
    if others is None and method.ablation == "zero":
        warn(f"{method.explainer} searches against blank pictures alone; name others with --reference")
        return None
    if others is None:
        raise InputError(
            f"--ablation {method.ablation} was given without pictures to take activations from; name some "
            "with --reference"
        )
    order = np.random.default_rng(method.seed).permutation(len(others))[:_MOST_OTHERS]
    reading = data.Reading(skip_unreadable=True)
    passes = metrics.source_passes(
        session, data.Subset(others, np.sort(order)), title="activations", reading=reading
    )
    return metrics.make_references(session, passes)


def watch(title: str, total: int, batches: Iterable[Any]) -> Iterable[Any]:
    """A progress bar over the batches of one pass, where stderr is a terminal."""
    return tqdm(batches, desc=title, total=total, unit="batch", disable=None, leave=False)


def make_method(
    net: runs.Net,
    options: MethodOptions,
    classifier: TargetOptions,
    out: Path,
    *,
    references: References | None = None,
) -> Method:
    """The explainer that the options name; trains a generator first if they say so.

    Raises:
        InputError: The options contradict each other, or the generator is missing or for another classifier.
    """
    target = net.target
    if options.train_on is not None and options.generator is not None:
        raise InputError("--generator and --train-on were both given; train a generator or name one")
    if options.train_on is None and options.generator is None:
        density = DENSITY if options.density is None else options.density
        explain = explainers.make_explainer(options.explainer, target, density=density)
        name = f"{options.explainer} at density {density:g}"
        baseline = explainers.BASELINES[options.explainer]
        if not baseline.contrastive or references is None:
            return Method.of(name, explain, seed=options.seed)

        def search(references: References) -> Explainer:
            return baseline.make(target, density=density, references=references)

        return Method(f"{name} against other pictures", search, references, options.seed)
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
