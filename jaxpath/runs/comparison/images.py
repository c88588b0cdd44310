"""The images of a comparison: all of them for most explainers, a few for those that take long."""

from typing import NamedTuple

import numpy as np

from jaxpath import data, metrics
from jaxpath.metrics import Passes, Session
from jaxpath.runs.comparison.entries import Entry
from jaxpath.runs.comparison.options import Comparison


class Images(NamedTuple):
    """Images to score, and the classifier in batches that suit their number.

    Attributes:
        session: The classifier.
        passes: Passes over the images.
        size: Their number.
    """

    session: Session
    passes: Passes
    size: int

    @property
    def num_batches(self) -> int:
        """Batches of one pass."""
        return -(-self.size // self.session.batch_size)


class ImageSets(NamedTuple):
    """The two sets of images.

    Attributes:
        whole: All images.
        few: The first of them.
    """

    whole: Images
    few: Images

    def of(self, entry: Entry) -> Images:
        """The images that an explainer takes."""
        return self.few if entry.slow else self.whole

    def num_batches(self, entry: Entry, num_densities: int) -> int:
        """Batches that one explainer takes: one explained pass, one of leakage per density, and more.

        Insertion and deletion are a pass over the few images, of a slow explainer the explained one; masks
        at a generator's own densities are explained and scored besides.
        """
        scored = num_densities + 2 * (entry.natural is not None)
        insertion = self.few.num_batches
        explained = 0 if entry.slow else self.whole.num_batches
        return insertion + explained + scored * self.of(entry).num_batches


def open_images(options: Comparison) -> data.Source:
    """The images to score.

    Raises:
        InputError: The data set or its split cannot be opened.
    """
    source = data.open_source(options.data, split=options.eval_split, data_dir=options.data_dir)
    source = data.ignore_exif(source) if options.ignore_exif else source
    if options.eval_fraction is not None:
        _, source = data.split(source, options.eval_fraction, options.seed)
    if options.images is not None:
        source = first_of(source, options.images)
    return source


def make_image_sets(session: Session, source: data.Source, options: Comparison) -> ImageSets:
    """Both sets of ``source``; with mean ablation, closed neurons take their mean over all of it."""
    whole = _images(session, source)
    few = _images(session, first_of(source, options.search_images))
    if options.ablation == "mean":
        fills = metrics.site_means(whole.session, whole.passes)
        whole, few = (part._replace(session=part.session._replace(fills=fills)) for part in (whole, few))
    return ImageSets(whole, few)


def first_of(source: data.Source, count: int) -> data.Source:
    """The first ``count`` images of ``source``, as far as it has so many."""
    return data.Subset(source, np.arange(min(count, len(source))))


def _images(session: Session, source: data.Source) -> Images:
    devices = session.mesh.size
    fitting = session._replace(batch_size=min(session.batch_size, -(-len(source) // devices) * devices))
    return Images(fitting, metrics.source_passes(fitting, source), len(source))
