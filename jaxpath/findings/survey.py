"""One pass over pictures that keeps what a report needs of each: pathway, scores, strongest responses."""

import functools
import hashlib
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jax import Array
from jax.sharding import Mesh

from jaxpath.caches import cache_file, kept
from jaxpath.devices import collect, make_eval_step, replicate
from jaxpath.files import load_arrays
from jaxpath.findings.pictures import Pictures
from jaxpath.findings.questions import PREDICTED, Question
from jaxpath.metrics import (
    MakeExplainer,
    Method,
    Records,
    Session,
    array_passes,
    describe_pathways,
    explain_batch,
)
from jaxpath.metrics.session import unwatched
from jaxpath.pathways import flatten
from jaxpath.places import reduce_places
from jaxpath.targets import digest
from jaxpath.types import Batch, EvalStep, Target

_AS_PREDICTED = -1
"""In place of a class: the one that the classifier says."""

FORMAT = 3
"""Raised with every change of what a kept survey holds."""


class Survey(NamedTuple):
    """What an explainer and the classifier say about pictures; on the host.

    Attributes:
        records: Predictions, confidences and pathways, as every metric takes them.
        classes: int [n], the class that each pathway is of: the predicted one unless another was asked for.
        logits: [n, K], clean.
        scores: [n, N], importance of each channel, the highest of its units'.
        peaks: [n, N], largest activation of each channel over the image.
        places: [n, N] int, where that is in the channel's H x W grid, counted row by row; 0 at a dense
            site.
    """

    records: Records
    classes: np.ndarray
    logits: np.ndarray
    scores: np.ndarray
    peaks: np.ndarray
    places: np.ndarray

    def take(self, rows: np.ndarray) -> "Survey":
        """The survey of the pictures at ``rows``, in that order."""
        return join_surveys([self], rows)


def join_surveys(surveys: Sequence[Survey], rows: Any = slice(None)) -> Survey:
    """Several surveys as one, or of that the pictures at ``rows``."""
    flat = [[*survey.records, *survey[1:]] for survey in surveys]
    columns = [np.concatenate(parts)[rows] for parts in zip(*flat, strict=True)]
    split = len(Records._fields)
    return Survey(Records(*columns[:split]), *columns[split:])


def survey(
    session: Session,
    method: Method,
    pictures: Pictures,
    *,
    label: int | None = None,
    title: str = "explaining",
    first: int = 0,
) -> Survey:
    """Explains a class of every picture and runs each under its pathway.

    Args:
        session: The classifier.
        method: The explainer.
        pictures: The pictures.
        label: The class; None explains the predicted one of each picture.
        title: For the progress bar.
        first: Place of the first picture among all; what is drawn for a picture depends on its place.

    Raises:
        InputError: Logits, activations or scores of a picture are not finite.
    """
    step = _step(session.target, session.mesh, method.make, method.seed)
    frozen = session.params, session.fill
    explainer_params, frozen = replicate((method.params, frozen), session.mesh)
    classes = np.full(len(pictures.images), _AS_PREDICTED if label is None else label, np.int32)
    arrays = {"image": pictures.images, "label": pictures.labels, "asked": classes}
    passes = array_passes(session, title=title, first=first, **arrays)

    def name(index: int) -> str:
        return pictures.names[index - first]

    results = collect(step, passes(), explainer_params, frozen, mesh=session.mesh, name=name)
    records = Records(**{name: results.pop(name) for name in Records._fields})
    return Survey(records, **results)


@functools.lru_cache(maxsize=16)
def _step(target: Target, mesh: Mesh, make_explainer: MakeExplainer, seed: int) -> EvalStep:
    def evaluate(explainer_params: Any, frozen: Any, batch: Batch) -> dict[str, Array]:
        params, fill = frozen
        explain = make_explainer(explainer_params)
        asked = batch["asked"]
        clean, pathway = explain_batch(target, params, explain, batch, seed=seed, labels=asked)
        classes = jnp.where(asked < 0, clean.logits.argmax(axis=-1), asked)
        gates = fill.close(pathway.masks, classes, batch["index"])
        masked = target.apply(params, batch["image"], gates)
        return {
            "indices": batch["index"],
            "labels": batch["label"],
            **describe_pathways(target, pathway.masks, clean, masked.logits),
            "classes": classes,
            "logits": clean.logits,
            "scores": flatten(_over_places(pathway.scores, jnp.max), target.sites).astype(jnp.float32),
            "peaks": flatten(_over_places(clean.features, jnp.max), target.sites).astype(jnp.float32),
            "places": flatten(_over_places(clean.features, jnp.argmax), target.sites).astype(jnp.int32),
        }

    return make_eval_step(evaluate, mesh)


def _over_places(values: Mapping[str, Array], reduce: Any) -> dict[str, Array]:
    """Values of sites as [B, C], by a reduction over one axis."""
    return {name: reduce_places(value, reduce) for name, value in values.items()}


def kept_survey(
    session: Session,
    method: Method,
    pictures: Pictures,
    *,
    identity: str,
    question: Question = PREDICTED,
    folder: Path | None = None,
) -> Survey:
    """:func:`survey`, read from a folder if it was made before.

    What a slow explainer finds is kept batch by batch: a run that is stopped loses no more than one.

    Args:
        session: The classifier.
        method: The explainer.
        pictures: The pictures.
        identity: Names the classifier's weights and the explainer, such as by hashes of their files.
        question: Which class of each picture is explained; ``against`` is the method's.
        folder: Where it is kept; None takes the user's cache folder, for references.
    """
    title = "reference" if folder is None else "explaining"
    # Another release may explain or record otherwise.
    named = f"{version('jaxpath')}|{identity}|{session.target.name}|{method.name}|{method.seed}|{question}"
    named += f"|{session.fill.name}|{digest((session.fill, method.params))}"

    def keep(session: Session, first: int, part: Pictures) -> Survey:
        key = hashlib.sha256(f"{named}|{first}|{digest((part.images, part.labels))}".encode()).hexdigest()
        return kept(
            cache_file("surveys", key, version=FORMAT, folder=folder),
            lambda: survey(session, method, part, label=question.label, title=title, first=first),
            read=lambda path: _read(path, len(part.images), session.target),
            write=_write,
        )

    count = len(pictures.images)
    if method.slow:
        session = session.fitting(count)
    size = session.batch_size if method.slow else count
    if count <= size:
        return keep(session, 0, pictures)
    starts = range(0, count, size)
    parts = [
        keep(session._replace(watch=unwatched), start, pictures.take(range(start, min(start + size, count))))
        for start in session.watch(title, len(starts), starts)
    ]
    return join_surveys(parts)


def _write(path: Path, made: Survey) -> None:
    arrays = {**made.records._asdict(), **{name: getattr(made, name) for name in Survey._fields[1:]}}
    with open(path, "wb") as file:
        np.savez(file, **arrays)


def _read(path: Path, count: int, target: Target) -> Survey:
    """A survey of ``count`` pictures; whatever else the file holds is an exception."""
    arrays = load_arrays(path)
    records = Records(**{name: arrays[name] for name in Records._fields})
    read = Survey(records, **{name: arrays[name] for name in Survey._fields[1:]})
    if any(len(column) != count for column in (*records, *read[1:])):
        raise ValueError(f"it is no survey of {count} pictures")
    channels = sum(site.channels for site in target.sites)
    widths = [part.shape[1] for part in (records.masks, read.scores, read.peaks, read.places)]
    if widths != [channels] * 4 or read.logits.shape[1] != target.num_classes:
        raise ValueError(f"it is no survey of {channels} channels")
    return read
