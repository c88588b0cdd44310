"""Does a pathway tell its class from others? Its margins on pictures of all classes are compared."""

import math
from typing import NamedTuple

import numpy as np

from jaxpath.finite import check
from jaxpath.metrics.pairs import Pairs, pair_batches
from jaxpath.metrics.passes import images_at
from jaxpath.metrics.records import Records
from jaxpath.metrics.session import Passes, Session, unwatched
from jaxpath.metrics.under_masks import num_units, predict_under

NUM_PICTURES = 200
"""Pictures of a panel, at most half of the data set: class pathways are learned from the others."""

NUM_INSTANCES = 10
"""Pathways of single images that are put on a panel."""

NUM_CLASSES = 20
"""Class pathways that are put on a panel."""


class Panel(NamedTuple):
    """Pictures on which pathways are tried.

    Attributes:
        images: [Q, H, W, C].
        indices: int [Q], their places in the data set, rising.
    """

    images: np.ndarray
    indices: np.ndarray


class Detection(NamedTuple):
    """How well pathways tell their class from others, on a panel; as predicted by the whole network.

    Attributes:
        instances: AUROC of single images' pathways, one each; an image says nothing of its own.
        classes: AUROC of class pathways, one each.
        accepted: For each class pathway and picture of its class, whether it is predicted as it.
        leaked: For each class pathway and picture of another class, whether it is predicted as its own.
    """

    instances: np.ndarray
    classes: np.ndarray
    accepted: np.ndarray
    leaked: np.ndarray


def make_panel(session: Session, passes: Passes, indices: np.ndarray, *, most: int = NUM_PICTURES) -> Panel:
    """Pictures at even distances in a data set, at most half of them.

    Args:
        session: The classifier.
        passes: The data set.
        indices: int [N_images], the places that can be read, rising.
        most: How many.

    Raises:
        InputError: A picture is not there.
    """
    count = max(1, min(most, len(indices) // 2))
    chosen = np.asarray(indices)[(np.arange(count) * len(indices)) // count]
    return Panel(images_at(session._replace(watch=unwatched), passes, chosen), chosen)


def auroc(positive: np.ndarray, negative: np.ndarray) -> float:
    """Chance that a value of ``positive`` [P] is above one of ``negative`` [Q]; equal ones count half.

    The area under the receiver's operating characteristic, as Mann and Whitney's U / (P Q). NaN if there is
    no value on one side.

    >>> auroc(np.array([3.0, 1.0]), np.array([0.0, 1.0]))
    0.875

    Raises:
        InputError: A value is not finite.
    """
    check("margins", positive, negative)
    if not len(positive) or not len(negative):
        return math.nan
    ordered = np.sort(negative)
    below, up_to = (np.searchsorted(ordered, positive, side=side) for side in ("left", "right"))
    return float((below + up_to).mean() / (2 * len(ordered)))


def class_pathways(records: Records, rows: np.ndarray, *, num_neurons: int) -> tuple[np.ndarray, np.ndarray]:
    """The neurons that the pathways of each class keep most often, as many as a pathway has on average.

    Args:
        records: The explained images.
        rows: Those to learn from.
        num_neurons: Channels, or units at unit granularity.

    Returns:
        The classes, int [K'], and their masks as rows of a table like ``records.table``.
    """
    num_open = round(float(records.unit_density[rows].mean()) * num_neurons)
    classes, table = np.unique(records.predicted[rows]), []
    for label in classes:
        members = records.table[rows[records.predicted[rows] == label]]
        units = members.dtype == np.uint8
        frequencies = (np.unpackbits(members, axis=1) if units else members).mean(axis=0)
        opened = np.zeros(frequencies.shape, bool)
        opened[np.argsort(-frequencies, kind="stable")[:num_open]] = True
        table.append(np.packbits(opened) if units else opened)
    return classes, np.stack(table)


def detect(session: Session, records: Records, panel: Panel) -> Detection | None:
    """Puts some pathways of images and of classes on every picture of a panel.

    The score of a picture is the margin of the pathway's class, its logit minus the largest other one; it
    counts as of the class that the whole network predicts. Class pathways are learned from the images that
    are not in the panel.

    Args:
        session: The classifier.
        records: The explained images.
        panel: Pictures of their data set.

    Returns:
        None if no class has a picture in the panel and one outside.
    """
    inside = np.isin(records.indices, panel.indices)
    rows = np.flatnonzero(inside)
    shown = records.predicted[rows]
    if not (~inside).any():
        return None
    total = num_units(session.target) if records.unit_bits.shape[1] else records.masks.shape[1]
    known, table = class_pathways(records, np.flatnonzero(~inside), num_neurons=total)
    kept = np.flatnonzero(np.isin(known, shown))
    if not len(kept):
        return None
    kept = _evenly(kept, NUM_CLASSES)
    instances = rows[_evenly(np.argsort(shown, kind="stable"), NUM_INSTANCES)]
    table = np.concatenate([table[kept], records.table[instances]])
    owners = np.concatenate([known[kept], records.predicted[instances]])
    grid = np.indices((len(owners), len(rows))).reshape(2, -1)
    pairs = Pairs(pictures=grid[1], masks=grid[0], classes=owners[grid[0]])
    batches = pair_batches(session._replace(watch=unwatched), panel.images, table, pairs)
    outcome = predict_under(session, batches)
    margins = outcome["margin"].reshape(len(owners), -1)
    taken = outcome["masked_predicted"].reshape(margins.shape) == owners[:, None]
    own = shown[None] == owners[:, None]
    # What an image's pathway says of the image itself is fidelity.
    other = np.concatenate([np.full(len(kept), -1), instances])[:, None] != rows[None]
    areas = np.array(
        [auroc(m[mine & rest], m[~mine]) for m, mine, rest in zip(margins, own, other, strict=True)]
    )
    of_class = slice(0, len(kept))
    return Detection(
        instances=areas[len(kept) :],
        classes=areas[of_class],
        accepted=taken[of_class][own[of_class]],
        leaked=taken[of_class][~own[of_class]],
    )


def _evenly(values: np.ndarray, most: int) -> np.ndarray:
    """Up to ``most`` of ``values`` at even distances."""
    count = min(most, len(values))
    return values[(np.arange(count) * len(values)) // count]
