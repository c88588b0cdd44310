"""The channels that count most for a picture, and the images that excite them most."""

import itertools
from collections.abc import Iterator, Sequence

import numpy as np

from jaxpath.findings.facts import StrongChannel, Thumbnail
from jaxpath.findings.reference import Reference
from jaxpath.findings.survey import Survey
from jaxpath.findings.words import Words, word_of
from jaxpath.pathways import offsets
from jaxpath.places import grid_of, position_on_grid
from jaxpath.types import Site

NUM_PARTS = 4
NUM_PER_PART = 3
"""Channels of each quarter of the network's depth: scores of one quarter would fill a common list."""

NUM_CROPS = 5


def strong_channels(
    image: np.ndarray,
    survey: Survey,
    *,
    sites: Sequence[Site],
    reference: Reference | None,
    words: Words | None = None,
) -> tuple[StrongChannel, ...]:
    """The open channels of the highest scores in each quarter of the sites, the deepest quarter first.

    Channels that do not respond to the picture are left out.

    Args:
        image: uint8 [H, W, C].
        survey: Of this picture alone.
        sites: The target's sites.
        reference: Where crops come from.
        words: What channels stand for.
    """
    scores, mask, peaks, places = (
        values[0] for values in (survey.scores, survey.records.masks, survey.peaks, survey.places)
    )
    starts = np.asarray(offsets(sites))
    channels: list[StrongChannel] = []
    for neuron in _strongest(np.where(mask & (peaks > 0), scores, -np.inf), starts):
        at = int(np.searchsorted(starts, neuron, side="right")) - 1
        site, channel = sites[at], int(neuron - starts[at])
        crops, strongest = _exciting(int(neuron), site, reference)
        channels.append(
            StrongChannel(
                site=site,
                channel=channel,
                score=float(scores[neuron]),
                strength=float(peaks[neuron] / strongest) if strongest > 0 else None,
                words=word_of(words, site, channel),
                here=crop_at(image, int(places[neuron]), site),
                crops=crops,
            )
        )
    return tuple(channels)


def _strongest(scores: np.ndarray, starts: np.ndarray) -> Iterator[int]:
    """The finite scores' best neurons of each part of the sites, the deepest part first."""
    edges = starts[np.linspace(0, len(starts) - 1, NUM_PARTS + 1).round().astype(int)]
    for first, stop in reversed(list(itertools.pairwise(edges))):
        best = first + np.argsort(-scores[first:stop], kind="stable")[:NUM_PER_PART]
        yield from (int(neuron) for neuron in best if np.isfinite(scores[neuron]))


def _exciting(neuron: int, site: Site, reference: Reference | None) -> tuple[tuple[Thumbnail, ...], float]:
    """Crops of the reference images that excite a channel most, and its largest response there."""
    if reference is None:
        return (), 0.0
    peaks = reference.survey.peaks[:, neuron]
    order = np.argsort(-peaks, kind="stable")[:NUM_CROPS]
    crops = tuple(
        Thumbnail(
            crop_at(reference.pictures.images[i], int(reference.survey.places[i, neuron]), site),
            reference.pictures.names[i],
            int(reference.survey.records.predicted[i]),
        )
        for i in order
        if peaks[i] > 0
    )
    return crops, float(peaks[order[0]]) if len(order) else 0.0


def crop_at(image: np.ndarray, place: int, site: Site) -> np.ndarray:
    """The square part of ``image`` [H, W, C] around the position ``place`` of a site's grid.

    Its side is four positions of the grid, but at least a quarter of the image and 16 pixels, and at most
    half of the image where that is more: our choice, not the receptive field. A dense site has no
    positions, and a class token has none: the whole image.
    """
    grid, position = grid_of(site), position_on_grid(place, site)
    if grid is None or position is None:
        return image
    height, width = image.shape[:2]
    (rows, columns), (row, column) = grid, position
    shorter = min(height, width)
    side = int(np.clip(4 * height / rows, max(shorter / 4, min(shorter, 16)), max(shorter / 2, 16)))
    side = min(side, shorter)
    top = int(np.clip((row + 0.5) * height / rows - side / 2, 0, height - side))
    left = int(np.clip((column + 0.5) * width / columns - side / 2, 0, width - side))
    return image[top : top + side, left : left + side]
