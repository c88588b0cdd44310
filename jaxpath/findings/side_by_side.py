"""Two pictures of one classifier side by side: which channels both pathways open, and which only one."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jaxpath.findings.channels import crop_at
from jaxpath.findings.facts import WordComparison, WordShare
from jaxpath.findings.pictures import Pictures
from jaxpath.findings.survey import Survey
from jaxpath.findings.wording import compare_words, flat_words
from jaxpath.findings.words import Word, Words, word_of
from jaxpath.pathways import iou_of_sizes, offsets
from jaxpath.types import Site

NUM_SHOWN = 8
"""Channels of each list."""


class SiteShares(NamedTuple):
    """Open channels of one site: in both pathways, and in one of them only."""

    site: Site
    both: int
    first: int
    second: int


class SharedChannel(NamedTuple):
    """A channel of two pictures.

    Attributes:
        site: Its site.
        channel: Its number there.
        scores: Its scores for the two pictures.
        parts: The parts of the two pictures that excite it most.
        words: What somebody says it stands for.
    """

    site: Site
    channel: int
    scores: tuple[float, float]
    parts: tuple[np.ndarray, np.ndarray]
    words: Word


class SideBySide(NamedTuple):
    """The pathways of two pictures.

    Attributes:
        iou: Channels that both open, of those that either opens.
        sites: By site, in forward order.
        both: The strongest channels that both open, by the smaller of the two scores, each divided
            by its picture's largest.
        first: Those that only the first opens.
        second: Those that only the second opens.
        words: In words; None without words.
    """

    iou: float
    sites: tuple[SiteShares, ...]
    both: tuple[SharedChannel, ...]
    first: tuple[SharedChannel, ...]
    second: tuple[SharedChannel, ...]
    words: WordComparison | None


def set_side_by_side(
    pictures: Pictures, survey: Survey, sites: Sequence[Site], *, words: Words | None = None
) -> SideBySide:
    """Compares the pathways of two pictures.

    Args:
        pictures: Two pictures.
        survey: What the explainer says about them.
        sites: The target's sites.
        words: What channels stand for.
    """
    one, other = survey.records.masks[:2]
    groups = {"both": one & other, "first": one & ~other, "second": other & ~one}
    starts = offsets(sites)
    shares = [
        SiteShares(site, *(int(mask[start : start + site.channels].sum()) for mask in groups.values()))
        for site, start in zip(sites, starts[:-1], strict=True)
    ]
    largest = np.abs(survey.scores[:2]).max(axis=1, keepdims=True)
    relative = survey.scores[:2] / np.where(largest > 0, largest, 1)
    ranks = {"both": relative.min(axis=0), "first": relative[0], "second": relative[1]}
    either = np.float64((one | other).sum())
    lists = {
        name: tuple(
            _channel(pictures, survey, sites, int(neuron), words)
            for neuron in np.argsort(-np.where(mask, ranks[name], -np.inf), kind="stable")[:NUM_SHOWN]
            if mask[neuron]
        )
        for name, mask in groups.items()
    }
    return SideBySide(
        iou=float(iou_of_sizes(np.array([groups["both"].sum()]), np.array([either]))[0]),
        sites=tuple(shares),
        words=None if words is None else compare_words(one, other, flat_words(words, sites)),
        **lists,
    )


def match_words(first: Sequence[WordShare], second: Sequence[WordShare]) -> WordComparison:
    """Two pathways of two classifiers in words, which are compared as words: their channels are other ones.

    Args:
        first: The words of the first pathway, from :func:`~jaxpath.findings.words_of`.
        second: Those of the second.
    """
    known = [{share.word for share in shares} for shares in (first, second)]
    return WordComparison(
        both=tuple(share for share in first if share.word in known[1]),
        first=tuple(share for share in first if share.word not in known[1]),
        second=tuple(share for share in second if share.word not in known[0]),
    )


def _channel(
    pictures: Pictures, survey: Survey, sites: Sequence[Site], neuron: int, words: Words | None
) -> SharedChannel:
    starts = offsets(sites)
    at = int(np.searchsorted(starts, neuron, side="right")) - 1
    site, channel = sites[at], neuron - starts[at]
    first, second = (crop_at(pictures.images[i], int(survey.places[i, neuron]), site) for i in (0, 1))
    return SharedChannel(
        site=site,
        channel=channel,
        scores=(float(survey.scores[0, neuron]), float(survey.scores[1, neuron])),
        parts=(first, second),
        words=word_of(words, site, channel),
    )
