"""Pictures as a target sees them, in memory."""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import numpy as np

from jaxpath import data
from jaxpath.metrics import Session, source_passes
from jaxpath.types import InputError

_READ_AT_ONCE = 16


class Pictures(NamedTuple):
    """Pictures as a target sees them, in memory.

    Attributes:
        images: uint8 [n, H, W, C].
        names: [n], such as the paths of their files.
        labels: int [n]; ``data.UNLABELLED`` where the class is not known.
    """

    images: np.ndarray
    names: tuple[str, ...]
    labels: np.ndarray

    def take(self, rows: Iterable[int] | np.ndarray) -> "Pictures":
        """The pictures at ``rows``, in that order."""
        places = np.asarray(list(rows), np.int64)
        return Pictures(self.images[places], tuple(self.names[i] for i in places), self.labels[places])


def join_pictures(parts: Sequence[Pictures]) -> Pictures:
    """Several groups of pictures as one."""
    names = tuple(name for part in parts for name in part.names)
    images, labels = ([getattr(part, field) for part in parts] for field in ("images", "labels"))
    return Pictures(np.concatenate(images), names, np.concatenate(labels))


def load_pictures(session: Session, source: data.Source, *, skip_unreadable: bool = False) -> Pictures:
    """Reads ``source`` once, resized and cropped for the session's target.

    Raises:
        InputError: A file is no image and is not to be skipped, or no image can be read.
    """
    session = session._replace(batch_size=min(_READ_AT_ONCE, len(source)))
    reading = data.Reading(skip_unreadable=skip_unreadable)
    images, places, labels = [], [], []
    for batch in source_passes(session, source, title="reading", reading=reading)():
        real = batch["weight"] > 0
        images.append(batch["image"][real])
        places.append(batch["index"][real])
        labels.append(batch["label"][real])
    names = tuple(source.name(int(place)) for place in np.concatenate(places))
    if not names:
        raise InputError(f"none of the {len(source)} images can be read; check that the files are images")
    return Pictures(np.concatenate(images), names, np.concatenate(labels))
