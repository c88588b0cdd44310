"""What a command works with, made alike for all: session, method, and what was made with them."""

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jax
import numpy as np
from tqdm import tqdm

from jaxpath import data, metrics, report, runs, targets
from jaxpath.cli.closing import Given, open_fills, open_references
from jaxpath.cli.methods import make_method
from jaxpath.cli.options import MethodOptions, TargetOptions
from jaxpath.devices import check_batch_size, make_mesh
from jaxpath.fills import Fill
from jaxpath.findings import (
    PREDICTED,
    ClassPathways,
    Question,
    Reference,
    knows_classes,
    learn_class_pathways,
)
from jaxpath.findings.measuring import ZERO
from jaxpath.metrics import Method, Session
from jaxpath.naming import without_folders
from jaxpath.runs import warn
from jaxpath.runs.manifest import report_details, write_manifest
from jaxpath.types import Params, Target

_CLOSED = {
    "zero": "0",
    "mean": "their mean",
    "interchange": "what a picture of another class has there",
}
"""What closed channels hold, inside a sentence."""

_LEAST_FOR_A_CLASS = 5
"""Reference images of a class that make a class pathway where none was given."""

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
        fills: Ablation -> what closed channels hold under it; the session's fill is the first.
        mean_of: The pictures whose mean they hold, in words; empty if no mean was asked for.
        question: Which class of each picture is explained.
        plain_method: How predicted classes are explained, where the method explains one rather than another.
    """

    session: Session
    method: Method
    out: Path
    weights: str
    identity: str
    class_names: tuple[str, ...]
    began: float
    origin: str
    fills: Mapping[str, Fill] = ZERO
    mean_of: str = ""
    question: Question = PREDICTED
    plain_method: Method | None = None

    @property
    def target(self) -> Target:
        """The classifier."""
        return self.session.target

    @property
    def seconds(self) -> float:
        """Seconds since the command began."""
        return time.perf_counter() - self.began

    @property
    def closed(self) -> str:
        """What closed channels hold, in words."""
        words = " and, beside it, ".join(_CLOSED[name] for name in self.fills)
        return f"{words} (over {self.mean_of})" if self.mean_of else words

    def setting(
        self,
        *,
        reference: str = "",
        warnings: Sequence[str] = (),
        left_out: Sequence[str] = (),
    ) -> report.Setting:
        """What a page says about how it was made.

        Args:
            reference: What pictures are compared with: words, or a path, whose last two parts are shown.
            warnings: That the classifier is at chance.
            left_out: What no channel could be named after.
        """
        return report.Setting(
            model=self.target.name,
            sites=self.target.sites,
            class_names=self.class_names,
            method=f"{self.method.name}; closed channels hold {self.closed}",
            reference=without_folders(reference),
            details=report_details(
                self.weights,
                self.identity,
                self.method.seed,
                preprocessing=f"{targets.describe_preprocessing(self.target.preprocessing)}; {self.origin}",
            ),
            caveats=[*report.warning_caveats(warnings), *report.left_out_caveats(left_out)],
        )

    def learn_from(self, reference: Reference) -> ClassPathways:
        """The class pathways that a reference gives, of the classes that it holds enough pictures of."""
        return learn_class_pathways(
            reference.survey.records,
            self.target.num_classes,
            least=_LEAST_FOR_A_CLASS,
            class_names=self.class_names,
            method=self.method.name,
        )

    def write_manifest(self, **facts: Any) -> None:
        """Writes ``manifest.json``: classifier, method, ``facts``, seconds, versions and device."""
        write_manifest(
            self.out,
            weights={"path": self.weights, "sha256": self.identity},
            model=self.target.name,
            preprocessing=runs.preprocessing_facts(self.target, self.origin),
            method=self.method.name,
            ablations=list(self.fills),
            mean_of=self.mean_of or None,
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
    pictures: Given,
    question: Question = PREDICTED,
) -> Workplace:
    """Makes the session and the method; trains a generator first if the options say so.

    Args:
        classifier: The target and its parameters, of :func:`~jaxpath.cli.opening.open_classifier`.
        options: Those that it was opened with.
        method: How pathways are found.
        out: The output folder.
        class_names: One name per class; none takes those of the weights.
        began: When the command began, by ``time.perf_counter``.
        pictures: From which closed channels may take their values, and against which pathways may be
            searched.
        question: Which class of each picture is explained.

    Raises:
        InputError: The options contradict each other, or ask for other pictures where there are none.
    """
    session = make_session(classifier.target, classifier.params, method.batch_size)
    references = open_references(session, method, pictures.others)
    fills, mean_of = open_fills(session, method, pictures, references, classifier.identity)
    how: dict[str, Any] = {"options": method, "classifier": options, "out": out, "references": references}
    rather = question.against is not None
    return Workplace(
        session=session._replace(fill=next(iter(fills.values()))),
        method=make_method(classifier, **how, against=question.against),
        plain_method=make_method(classifier, **how) if rather else None,
        out=out,
        weights=options.weights or f"--target {options.loading.target}",
        identity=classifier.identity,
        class_names=class_names or classifier.class_names,
        began=began,
        origin=classifier.origin,
        fills=fills,
        mean_of=mean_of,
        question=question,
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


def watch(title: str, total: int, batches: Iterable[Any]) -> Iterator[Any]:
    """A progress bar over the batches of one pass, where stderr is a terminal.

    It says that the first batch waits for the compiler, and tells the time left by the batches after it.
    """
    with tqdm(desc=f"{title}: compiling", total=total, unit="batch", disable=None, leave=False) as bar:
        for number, batch in enumerate(batches):
            yield batch
            if number == 0:
                bar.set_description(title, refresh=False)
                bar.initial = 1
                bar.start_t = time.time()
            bar.update()
