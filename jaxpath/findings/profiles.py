"""What one channel does: how strongly pictures excite it, which ones, and which channels go with it."""

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxpath.findings.channels import crop_at
from jaxpath.findings.facts import Thumbnail
from jaxpath.findings.pictures import Pictures
from jaxpath.findings.survey import Survey
from jaxpath.findings.words import Word, Words, word_of
from jaxpath.pathways import offsets
from jaxpath.types import InputError, Site

NUM_SHOWN = 12
"""Pictures of each sample, and classes and channels of each list."""

_BINS = 30


class Excitation(NamedTuple):
    """A picture, the part of it that excites the channel most, and its response there."""

    picture: Thumbnail
    part: Thumbnail
    response: float


class ClassShare(NamedTuple):
    """What a class has to do with a channel.

    Attributes:
        label: The class, as predicted.
        num_pictures: Pictures of it.
        response: The mean of their strongest responses.
        kept: Share of their pathways that keep the channel.
    """

    label: int
    num_pictures: int
    response: float
    kept: float


class Companion(NamedTuple):
    """Another channel, and the correlation of its strongest responses with the channel's over pictures."""

    site: Site
    channel: int
    correlation: float
    words: Word


class ChannelProfile(NamedTuple):
    """What one channel does over pictures.

    Attributes:
        site: Its site.
        channel: Its number there.
        words: What somebody says it stands for.
        num_pictures: How many pictures.
        responses: [n], the strongest response of each.
        edges: [bins + 1], of the histogram of those above 0.
        counts: int [bins], of the histogram.
        silent: Share of the pictures that do not excite it.
        kept: Share of all pathways that keep it.
        strongest: The pictures that excite it most.
        random: Some others, drawn at random.
        classes: The classes whose pictures excite it most.
        keepers: The classes whose pathways keep it most often.
        companions: The channels that go with it, and by negative correlations against it.
    """

    site: Site
    channel: int
    words: Word
    num_pictures: int
    responses: np.ndarray
    edges: np.ndarray
    counts: np.ndarray
    silent: float
    kept: float
    strongest: tuple[Excitation, ...]
    random: tuple[Excitation, ...]
    classes: tuple[ClassShare, ...]
    keepers: tuple[ClassShare, ...]
    companions: tuple[Companion, ...]

    def as_row(self) -> dict[str, Any]:
        """Plain values for a file."""
        return {
            "site": self.site.name,
            "channel": self.channel,
            "words": str(self.words),
            "words_score": self.words.score,
            "words_chance": self.words.chance,
            "next_words": [list(row) for row in self.words.following],
            "pictures": self.num_pictures,
            "silent": self.silent,
            "kept": self.kept,
            "histogram": {"edges": self.edges.tolist(), "counts": self.counts.tolist()},
            "classes": [share._asdict() for share in self.classes],
            "keepers": [share._asdict() for share in self.keepers],
            "companions": [
                {**each._asdict(), "site": each.site.name, "words": str(each.words)}
                for each in self.companions
            ],
        }


def find_site(name: str, sites: Sequence[Site]) -> int:
    """The position of the site that a word names: its name, its position, or a part of one name only.

    >>> find_site("relu2", [Site("000.relu1", 2, None), Site("001.relu2", 2, None)])
    1

    Raises:
        InputError: There is none, or several.
    """
    if name.isdecimal() and name == str(int(name)) and int(name) < len(sites):
        return int(name)
    names = [site.name for site in sites]
    found = [i for i, one in enumerate(names) if name == one] or [
        i for i, one in enumerate(names) if name in one
    ]
    if len(found) != 1:
        said = "no site" if not found else f"{len(found)} sites"
        raise InputError(f"--site {name} names {said}; expected one of {', '.join(names)}, or its position")
    return found[0]


def profile_channel(
    pictures: Pictures,
    survey: Survey,
    sites: Sequence[Site],
    place: tuple[int, int],
    *,
    words: Words | None = None,
    seed: int = 0,
) -> ChannelProfile:
    """Describes one channel over explained pictures.

    Args:
        pictures: The pictures.
        survey: What the classifier and an explainer say about them.
        sites: The target's sites.
        place: The position of the channel's site, and the channel's number there.
        words: What channels stand for.
        seed: Of the random sample.

    Raises:
        InputError: The site has no such channel.
    """
    site, channel = sites[place[0]], place[1]
    if not 0 <= channel < site.channels:
        raise InputError(f"--channel is {channel}; {site.name} has the channels 0 to {site.channels - 1}")
    starts = offsets(sites)
    neuron = starts[place[0]] + channel
    responses = survey.peaks[:, neuron]
    excited = responses > 0
    counts, edges = (
        np.histogram(responses[excited], bins=_BINS) if excited.any() else (np.zeros(0, int), np.zeros(1))
    )
    order = np.argsort(-responses, kind="stable")
    strongest = order[:NUM_SHOWN]
    drawn = np.random.default_rng(seed).permutation(order[NUM_SHOWN:])[:NUM_SHOWN]
    rest = np.sort(drawn)

    shares = _classes(survey, neuron)

    def shown(rows: np.ndarray) -> tuple[Excitation, ...]:
        return tuple(_excitation(pictures, survey, site, neuron, int(row)) for row in rows)

    return ChannelProfile(
        site=site,
        channel=channel,
        words=word_of(words, site, channel),
        num_pictures=len(responses),
        responses=responses,
        edges=edges,
        counts=counts,
        silent=float((~excited).mean()),
        kept=float(survey.records.masks[:, neuron].mean()),
        strongest=shown(strongest[responses[strongest] > 0]),
        random=shown(rest),
        classes=tuple(sorted(shares, key=lambda share: -share.response)[:NUM_SHOWN]),
        keepers=tuple(
            sorted((share for share in shares if share.kept > 0), key=lambda share: -share.kept)[:NUM_SHOWN]
        ),
        companions=_companions(survey.peaks, neuron, sites, starts, words),
    )


def _excitation(pictures: Pictures, survey: Survey, site: Site, neuron: int, row: int) -> Excitation:
    image, label = pictures.images[row], int(survey.records.predicted[row])
    part = crop_at(image, int(survey.places[row, neuron]), site)
    name = pictures.names[row]
    return Excitation(
        Thumbnail(image, name, label), Thumbnail(part, name, label), float(survey.peaks[row, neuron])
    )


def _classes(survey: Survey, neuron: int) -> list[ClassShare]:
    predicted = survey.records.predicted
    shares = []
    for label in np.unique(predicted):
        rows = predicted == label
        mean, kept = survey.peaks[rows, neuron].mean(), survey.records.masks[rows, neuron].mean()
        shares.append(ClassShare(int(label), int(rows.sum()), float(mean), float(kept)))
    return shares


def _companions(
    peaks: np.ndarray, neuron: int, sites: Sequence[Site], starts: Sequence[int], words: Words | None
) -> tuple[Companion, ...]:
    centred = peaks - peaks.mean(axis=0)
    norms = np.linalg.norm(centred, axis=0)
    own = centred[:, neuron]
    # Channels that never vary go with nothing.
    scale = norms * norms[neuron]
    correlations = np.where(scale > 0, own @ centred / np.where(scale > 0, scale, 1), 0.0)
    correlations[neuron] = 0.0
    found = []
    for other in np.argsort(-np.abs(correlations), kind="stable")[:NUM_SHOWN]:
        if correlations[other] == 0:
            continue
        at = int(np.searchsorted(starts, other, side="right")) - 1
        site, channel = sites[at], int(other - starts[at])
        found.append(Companion(site, channel, float(correlations[other]), word_of(words, site, channel)))
    return tuple(found)
