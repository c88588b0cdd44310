"""Pictures under masks of a table, pair by pair."""

from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from jaxpath.metrics.passes import array_passes
from jaxpath.metrics.session import Session
from jaxpath.types import HostBatch


class Pairs(NamedTuple):
    """Which picture runs under which mask, and which class is asked for; one entry per run, n in all.

    Attributes:
        pictures: int [n], rows of the images.
        masks: int [n], rows of the table of masks.
        classes: int [n], the class that the mask is a pathway of.
        against: The class rather than which these are asked for; None: rather than all others.
    """

    pictures: np.ndarray
    masks: np.ndarray
    classes: np.ndarray
    against: int | None = None


def pair_batches(
    session: Session, images: np.ndarray, table: np.ndarray, pairs: Pairs, *, title: str = ""
) -> Iterator[HostBatch]:
    """The batches of :func:`~jaxpath.metrics.predict_under` for pairs.

    Args:
        session: The classifier.
        images: [P, H, W, C].
        table: Channel masks [M, N] or bits of unit masks, as in ``Records.table``.
        pairs: Which picture under which mask.
        title: For the progress bar.
    """
    # Rows are gathered batch by batch: pairs are many more than pictures.
    rows = array_passes(session, title=title, picture=pairs.pictures, row=pairs.masks, label=pairs.classes)
    for batch in rows():
        two = {} if pairs.against is None else {"against": np.full_like(batch["label"], pairs.against)}
        yield {
            **two,
            "image": images[batch["picture"]],
            "mask": table[batch["row"]],
            "class": batch["label"],
            "owner": batch["label"],
            "place": batch["picture"],
            "weight": batch["weight"],
        }
