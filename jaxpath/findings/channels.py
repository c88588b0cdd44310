"""The channels that count most for a picture, and the images that excite them most."""

import itertools
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from jaxpath.files import read_arrays, read_json
from jaxpath.findings.facts import StrongChannel, Thumbnail
from jaxpath.findings.reference import Reference
from jaxpath.findings.survey import Survey
from jaxpath.pathways import offsets
from jaxpath.places import grid_of, position_on_grid
from jaxpath.types import InputError, Site

Words = Mapping[str, Mapping[int, str]]
"""Site name -> channel -> what somebody says it stands for."""

NUM_PARTS = 4
NUM_PER_PART = 3
"""Channels of each quarter of the network's depth: scores of one quarter would fill a common list."""

NUM_CROPS = 5

_LEFT_OUT = "left_out"


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
                words="" if words is None else words.get(site.name, {}).get(channel, ""),
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


def load_words(path: str | Path, sites: Sequence[Site]) -> Words:
    """Reads what channels stand for.

    Args:
        path: A ``.json`` file, site name -> a list of words per channel or channel -> words; or an
            ``.npz`` file with an array of words per channel for each site name. See :func:`load_left_out` for
            ``left_out``.
        sites: The target's sites.

    Raises:
        InputError: There is no such file, it has another form, or it names a site or a channel that is
            not there.
    """
    path = Path(path)
    form = "words of channels: site name -> a list of words, one per channel, or channel -> words"
    raw = _read(path, form)
    try:
        words = {str(site): _by_channel(values) for site, values in raw.items() if site != _LEFT_OUT}
    except (ValueError, TypeError, AttributeError) as error:
        raise InputError(f"{path} holds no words of channels ({error}); expected {form}") from error
    channels = {site.name: site.channels for site in sites}
    for site, by_channel in words.items():
        if site not in channels:
            raise InputError(f"{path} names the site {site!r}; expected some of {', '.join(channels)}")
        if by_channel and not 0 <= min(by_channel) <= max(by_channel) < channels[site]:
            raise InputError(
                f"{path} has words for channels {min(by_channel)} to {max(by_channel)} of {site}, which has "
                f"the channels 0 to {channels[site] - 1}; correct their numbers"
            )
    return words


def load_left_out(path: str | Path) -> tuple[str, ...]:
    """Reads what no channel could be named after: the list ``left_out`` of a file of :func:`load_words`.

    Raises:
        InputError: The file cannot be read, or ``left_out`` is no list.
    """
    raw = _read(Path(path), "a file of jaxpath dissect")
    left_out = raw.get(_LEFT_OUT, []) if isinstance(raw, Mapping) else None
    if not isinstance(left_out, list):
        raise InputError(
            f"left_out in {path} is {left_out!r}; expected a list of the words that were not offered"
        )
    return tuple(map(str, left_out))


def _read(path: Path, form: str) -> Mapping[str, Any]:
    if path.suffix == ".npz":
        return {name: array.tolist() for name, array in read_arrays(path, form).items()}
    return read_json(path, form)


def _by_channel(values: Any) -> dict[int, str]:
    pairs = values.items() if isinstance(values, Mapping) else enumerate(values)
    return {int(channel): _text(word) for channel, word in pairs if word}


def _text(word: Any) -> str:
    return ", ".join(map(str, word)) if isinstance(word, list) else str(word)
