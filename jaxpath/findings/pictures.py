"""Pictures as a target sees them, in memory."""

from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

import numpy as np

from jaxpath import data
from jaxpath.metrics import Session, source_passes

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
        InputError: A file is no image and is not to be skipped.
        NothingReadable: No image can be read.
    """
    return join_pictures(
        list(load_blocks(session, source, size=len(source), skip_unreadable=skip_unreadable))
    )


def load_blocks(
    session: Session, source: data.Source, *, size: int, skip_unreadable: bool = False
) -> Iterator[Pictures]:
    """:func:`load_pictures` in blocks of ``size`` pictures, or a few more, of which the last may be smaller.

    None is empty, however many files in a row cannot be read.
    """
    session = session._replace(batch_size=min(_READ_AT_ONCE, len(source)))
    reading = data.Reading(skip_unreadable=skip_unreadable)
    parts: list[Pictures] = []
    for batch in source_passes(session, source, title="reading", reading=reading)():
        real = batch["weight"] > 0
        names = tuple(source.name(int(place)) for place in batch["index"][real])
        if names:
            parts.append(Pictures(batch["image"][real], names, batch["label"][real]))
        if sum(len(part.names) for part in parts) >= size:
            yield join_pictures(parts)
            parts = []
    if parts:
        yield join_pictures(parts)
