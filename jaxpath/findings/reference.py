"""The reference: images that a report compares with, explained once and kept."""

from collections.abc import Collection
from typing import NamedTuple

import numpy as np

from jaxpath import data
from jaxpath.findings.bench import Bench, Method, Pictures, join_pictures, load_pictures
from jaxpath.findings.survey import Survey, join_surveys, kept_survey

NUM_ANY = 64
"""Reference images drawn from all of them, the same for every report."""

NUM_SAME = 16
"""Further ones of each class that is explained, if the folders say which they are."""


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
    bench: Bench,
    method: Method,
    source: data.Source,
    classes: Collection[int],
    *,
    identity: str,
    num_any: int = NUM_ANY,
    num_same: int = NUM_SAME,
    seed: int = 0,
) -> Reference:
    """Reads and explains a part of ``source``: some of all images, and some of each class in question.

    What was found for them is kept in the user's cache folder.

    Args:
        bench: The classifier.
        method: The explainer.
        source: All reference images. Unreadable files are passed over.
        classes: The classes that are explained.
        identity: Names the classifier's weights and the explainer.
        num_any: Images drawn from all.
        num_same: Further images of each of ``classes``; none where labels say nothing about classes.
        seed: Of the draws.
    """
    order = np.random.default_rng(seed).permutation(len(source))
    blocks = [order[:num_any]]
    rest = order[num_any:]
    if knows_classes(source, bench.target.num_classes):
        labels = np.asarray(source.labels)[rest]
        blocks += [rest[labels == label][:num_same] for label in sorted(classes)]
    found = []
    for block in blocks:
        if len(block):
            part = data.Subset(source, np.sort(block))
            pictures = load_pictures(bench, part, skip_unreadable=True)
            found.append((pictures, kept_survey(bench, method, pictures, identity=identity)))
    pictures, surveys = zip(*found, strict=True)
    return Reference(join_pictures(pictures), join_surveys(surveys))


def knows_classes(source: data.Source, num_classes: int) -> bool:
    """Whether the labels of ``source`` are classes of a target with ``num_classes``."""
    if source.labels is None or not len(source.labels) or source.labels.min() < 0:
        return False
    if source.labels_are_ranks and source.num_classes != num_classes:
        return False
    return bool(source.labels.max() < num_classes)
