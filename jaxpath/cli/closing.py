"""What closed channels hold in a command, and the pictures that it is taken from."""

import contextlib
from typing import NamedTuple

import numpy as np

from jaxpath import data, explainers, metrics
from jaxpath.cli.options import MethodOptions
from jaxpath.fills import Fill, References
from jaxpath.findings import load_pictures
from jaxpath.findings.usual import NUM_USUAL, kept_mean, usual_pictures
from jaxpath.metrics import Session
from jaxpath.naming import without_folders
from jaxpath.runs import warn
from jaxpath.types import InputError

_MOST_OTHERS = 256
"""Pictures whose mean activations are taken, and among which references are chosen."""


class Given(NamedTuple):
    """Pictures that a command was given.

    Attributes:
        others: To compare with; None: there are none.
        name: What these are called.
        given: Those that are explained, where there are no others; None: there are others.
    """

    others: data.Source | None
    name: str = ""
    given: data.Source | None = None


def open_fills(
    session: Session,
    method: MethodOptions,
    pictures: Given,
    references: References | None,
    identity: str,
) -> tuple[dict[str, Fill], str]:
    """What closed channels hold under each ablation, and over which pictures a mean is, in words."""
    needs_mean = "mean" in method.ablations
    mean_of = ""
    fills: dict[str, Fill] = {}
    if references is not None:
        fills.update({name: references.fill(name) for name in method.ablations})
        if needs_mean and pictures.others is not None:
            mean_of = (
                f"{min(len(pictures.others), _MOST_OTHERS)} pictures of {without_folders(pictures.name)}"
            )
        return fills, mean_of
    for name in method.ablations:
        if name == "zero":
            fills[name] = Fill()
        else:
            given, others = (_some(session, s, method.seed) for s in (pictures.given, pictures.others))
            blank = np.zeros((0, *session.target.preprocessing.shape), np.uint8)
            images, mean_of = usual_pictures(
                blank if given is None else given, reference=others, name=without_folders(pictures.name)
            )
            fills[name] = kept_mean(session, images, identity=identity)
    return fills, mean_of


def _some(session: Session, source: data.Source | None, seed: int) -> np.ndarray | None:
    """Some pictures of a data set, drawn by the seed; None if there are none."""
    if source is None:
        return None
    order = np.random.default_rng(seed).permutation(len(source))[:NUM_USUAL]
    with contextlib.suppress(data.NothingReadable):
        return load_pictures(session, data.Subset(source, np.sort(order)), skip_unreadable=True).images
    return None


def open_references(session: Session, method: MethodOptions, others: data.Source | None) -> References | None:
    """Reference pictures, if the options ask for any.

    Raises:
        InputError: They ask for some and there are none.
    """
    baseline = explainers.BASELINES[method.explainer]
    learned = method.generator is not None or method.train_on is not None
    searched = not learned and baseline.contrastive
    if "interchange" not in method.ablations and not searched:
        return None
    if others is None and "interchange" not in method.ablations:
        warn(f"{method.explainer} searches against blank pictures alone; name others with --reference")
        return None
    if others is None:
        raise InputError(
            "--ablation interchange was given without pictures to take activations from; name some with "
            "--reference"
        )
    order = np.random.default_rng(method.seed).permutation(len(others))[:_MOST_OTHERS]
    reading = data.Reading(skip_unreadable=True)
    passes = metrics.source_passes(
        session, data.Subset(others, np.sort(order)), title="activations", reading=reading
    )
    return metrics.make_references(session, passes)
