"""The images of a comparison: all of them for most explainers, a few for those that take long."""

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from jaxpath import data, explainers, metrics
from jaxpath.fills import Ablation, Fill, References
from jaxpath.metrics import Panel, Passes, Records, Session
from jaxpath.metrics.session import unwatched
from jaxpath.runs.boxes import read_boxes, with_boxes
from jaxpath.runs.comparison.entries import Entry
from jaxpath.runs.comparison.options import Comparison


class Trial(NamedTuple):
    """The images that are put under each other's pathways.

    Attributes:
        session: The classifier in batches that suit their number.
        passes: Passes over them.
        rows: Their places among the images, int [n].
        panel: Some of them, on which pathways of classes are tried.
    """

    session: Session
    passes: Passes
    rows: np.ndarray
    panel: Panel

    @property
    def num_batches(self) -> int:
        """Batches of one pass."""
        return -(-len(self.rows) // self.session.batch_size)


class Images(NamedTuple):
    """Images to score, and the classifier in batches that suit their number.

    Attributes:
        session: The classifier.
        passes: Passes over the images.
        size: Their number.
        trial: Those that are put under each other's pathways.
    """

    session: Session
    passes: Passes
    size: int
    trial: Trial

    @property
    def num_batches(self) -> int:
        """Batches of one pass."""
        return -(-self.size // self.session.batch_size)


class ImageSets(NamedTuple):
    """The two sets of images.

    Attributes:
        whole: All images.
        few: Some of them.
        places: Where these are among all, int [n].
        fills: What closed neurons hold, by the name of the ablation; the first is that of both sessions.
    """

    whole: Images
    few: Images
    places: np.ndarray
    fills: Mapping[Ablation, Fill]

    def of(self, entry: Entry) -> Images:
        """The images that an explainer takes."""
        return self.few if entry.slow else self.whole

    def searched(self, records: Records) -> np.ndarray:
        """Which of the images of ``records``, of one of the two sets, are the few, bool [N_images]."""
        if len(records.indices) == self.few.size:
            return np.ones(self.few.size, bool)
        return np.isin(records.indices, self.places)

    def num_batches(self, entry: Entry, num_densities: int) -> int:
        """Batches that one explainer takes: one explained pass, one trial per density and ablation, and more.

        Insertion and deletion are a pass over the few images, of a slow explainer the explained one; masks
        at a generator's own densities are explained and tried besides.
        """
        natural = entry.natural is not None
        tried = (num_densities + natural) * len(self.fills) * self.of(entry).trial.num_batches
        insertion = self.few.num_batches
        explained = (0 if entry.slow else self.whole.num_batches) + natural * self.of(entry).num_batches
        return insertion + explained + tried


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
        source = data.draw(source, options.images, seed=options.seed)
    return source


def open_others(options: Comparison, scored: data.Source) -> data.Source:
    """The images that references are taken from: ``scored``, or those that the options name.

    Raises:
        InputError: The data set or its split cannot be opened.
    """
    if options.references is None and options.references_split is None:
        return scored
    named = options.references or options.data
    source = data.open_source(named, split=options.references_split, data_dir=options.data_dir)
    return data.ignore_exif(source) if options.ignore_exif else source


def open_references(session: Session, source: data.Source, options: Comparison) -> References | None:
    """Mean activations and reference pictures of ``source``; None if neither ablations nor explainers ask.

    Raises:
        InputError: An activation is not finite.
    """
    asked = any(explainers.BASELINES[name].contrastive for name in options.explainers)
    if not asked and options.ablations == ("zero",):
        return None
    fitting = session.fitting(len(source))
    return metrics.make_references(fitting, metrics.source_passes(fitting, source))


def make_image_sets(
    session: Session, source: data.Source, options: Comparison, *, references: References | None = None
) -> ImageSets:
    """Both sets of ``source``.

    Args:
        session: The classifier.
        source: The images.
        options: Says how many are few, which ablations, and where the objects are.
        references: From :func:`open_references`.

    Raises:
        InputError: All reference pictures are of one class, or the boxes cannot be read or fit no image.
    """
    fills = {name: Fill() if references is None else references.fill(name) for name in options.ablations}
    session = session._replace(fill=fills[options.ablations[0]])
    places = data.draw_places(len(source), options.search_images, seed=options.seed)
    few = data.Subset(source, places)
    return ImageSets(_images(session, source, options), _images(session, few, options), places, fills)


def _images(session: Session, source: data.Source, options: Comparison) -> Images:
    fitting = session.fitting(len(source))
    rows = data.draw_places(len(source), options.trial_images or len(source), seed=options.seed)
    trial = _trial(session, data.Subset(source, rows), rows, options)
    return Images(fitting, metrics.source_passes(fitting, source), len(source), trial)


def _trial(session: Session, part: data.Source, rows: np.ndarray, options: Comparison) -> Trial:
    fitting = session.fitting(len(part))
    passes = metrics.source_passes(fitting, part)
    # Not counted: the bar shows what explainers take.
    quiet = metrics.source_passes(fitting._replace(watch=unwatched), part)
    panel = metrics.make_panel(fitting, quiet, np.arange(len(part)))
    if options.boxes is not None:
        passes = with_boxes(passes, read_boxes(options.boxes, part, fitting.target.preprocessing))
    return Trial(fitting, passes, rows, panel)
