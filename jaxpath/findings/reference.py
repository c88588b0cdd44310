"""The reference: images that a report compares with, explained once and kept."""

import contextlib
from collections.abc import Collection
from typing import NamedTuple

import numpy as np

from jaxpath import data
from jaxpath.findings.pictures import Pictures, join_pictures, load_pictures
from jaxpath.findings.survey import Survey, join_surveys, kept_survey
from jaxpath.metrics import Method, Session
from jaxpath.types import InputError


class Draw(NamedTuple):
    """How many reference images are explained.

    Attributes:
        any: Drawn from all of them, the same for every report.
        same: Further ones of each class that is explained, if the folders say which they are.
    """

    any: int
    same: int


QUICK = Draw(64, 16)
"""For an explainer of a few passes per image."""

SLOW = Draw(20, 8)
"""For one of tens or hundreds: enough for the test on pictures of other classes, and for a class pathway."""


class Reference(NamedTuple):
    """Explained reference images.

    Attributes:
        pictures: The images.
        survey: What the classifier and the explainer say about them.
    """

    pictures: Pictures
    survey: Survey

    def without(self, image: np.ndarray) -> "Reference":
        """The reference images that are not ``image`` [H, W, C], which says nothing about itself."""
        differ = (self.pictures.images != image[None]).any(axis=(1, 2, 3))
        rows = np.flatnonzero(differ)
        return Reference(self.pictures.take(rows), self.survey.take(rows))


def load_reference(
    session: Session, method: Method, source: data.Source, classes: Collection[int], *, identity: str
) -> Reference:
    """Reads and explains a part of ``source``: some of all images, and some of each class in question.

    What was found for them is kept in the user's cache folder.

    :data:`QUICK` says how many are drawn from all, and how many further ones of each of ``classes``, unless
    labels say nothing about classes; :data:`SLOW` for a slow explainer. If no image of a draw can be read,
    the next ones are taken.

    Args:
        session: The classifier.
        method: The explainer; its seed is also that of the draws.
        source: All reference images. Unreadable files are passed over.
        classes: The classes that are explained.
        identity: Names the classifier's weights and the explainer.

    Raises:
        NothingReadable: No image of ``source`` can be read.
    """
    draw = SLOW if method.slow else QUICK
    order = np.random.default_rng(method.seed).permutation(len(source))
    drawn, rest = _read_some(session, source, order, draw.any)
    blocks = [drawn]
    if knows_classes(source, session.target.num_classes):
        labels = np.asarray(source.labels)[rest]
        blocks += [
            _read_some(session, source, rest[labels == label], draw.same)[0] for label in sorted(classes)
        ]
    parts = [block for block in blocks if block is not None]
    if not parts:
        # Says why, as every other pass does.
        parts = [load_pictures(session, source, skip_unreadable=True)]
    surveys = [kept_survey(session, method, pictures, identity=identity) for pictures in parts]
    return Reference(join_pictures(parts), join_surveys(surveys))


def _read_some(
    session: Session, source: data.Source, order: np.ndarray, count: int
) -> tuple[Pictures | None, np.ndarray]:
    """The first ``count`` places in ``order`` of which any can be read, None if none can; and those after."""
    for start in range(0, len(order), count):
        part = data.Subset(source, np.sort(order[start : start + count]))
        with contextlib.suppress(data.NothingReadable):
            return load_pictures(session, part, skip_unreadable=True), order[start + count :]
    return None, order[:0]


def knows_classes(source: data.Source, num_classes: int) -> bool:
    """Whether the labels of ``source`` are classes of a target with ``num_classes``."""
    if source.labels is None or not data.labels_known(source):
        return False
    try:
        data.check_labels(source, num_classes)
    except InputError:
        return False
    return True
