"""Pathways in words: what the channels of one stand for, of a class, and of two side by side."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from jaxpath.findings.class_pathways import ClassPathways
from jaxpath.findings.facts import WordComparison, WordShare
from jaxpath.findings.words import Words, word_of
from jaxpath.metrics import pairwise_iou
from jaxpath.types import Site

NUM_WORDS = 12


class ClassWords(NamedTuple):
    """The pathway of a class in words, and beside that of the class whose pathway overlaps most.

    Attributes:
        label: The class.
        num_images: Images that its pathway was learned from.
        words: What it opens more than other classes do.
        nearest: The other class; None if no other is known.
        iou: Overlap of the two pathways; NaN without another.
        beside: The two pathways in words, this class's first; None without another.
    """

    label: int
    num_images: int
    words: tuple[WordShare, ...]
    nearest: int | None
    iou: float
    beside: WordComparison | None


def flat_words(words: Words, sites: Sequence[Site]) -> np.ndarray:
    """The words of all N channels in forward order, [N]; empty where a channel has none above chance."""
    every = (word_of(words, site, channel) for site in sites for channel in range(site.channels))
    return np.array(["" if word.by_chance else str(word) for word in every])


def words_of(
    kept: np.ndarray, words: np.ndarray, *, usual: np.ndarray | float, most: int = NUM_WORDS
) -> tuple[WordShare, ...]:
    """The words of a pathway: those whose channels it opens more than is usual, the largest excess first.

    A word that many channels bear is open somewhere in every pathway. So a word counts by the sum, over its
    channels, of how often the pathway opens them less how often that is usual: our choice.

    Args:
        kept: [N], 0/1 or shares of a class's images.
        words: [N], from :func:`flat_words`.
        usual: [N] or one number.
        most: Words that are given at most.
    """
    excess = np.asarray(kept, np.float64) - usual
    shares = _shares(kept >= 0.5, words)
    gain = {word: excess[words == word].sum() for word in shares}
    best = sorted((word for word in shares if gain[word] > 0), key=lambda word: -gain[word])
    return tuple(shares[word] for word in best[:most])


def compare_words(
    first: np.ndarray, second: np.ndarray, words: np.ndarray, *, most: int = NUM_WORDS
) -> WordComparison:
    """Two pathways side by side: words of the channels that both open, and that one of them opens.

    A word may stand in several lists, by different channels. Those with the most channels come first.

    Args:
        first: bool [N].
        second: bool [N].
        words: [N], from :func:`flat_words`.
        most: Words of each list at most.
    """
    first, second = np.asarray(first, bool), np.asarray(second, bool)
    lists = (_shares(mask, words) for mask in (first & second, first & ~second, second & ~first))
    ranked = (sorted(shares.values(), key=lambda share: -share.num_open)[:most] for shares in lists)
    return WordComparison(*map(tuple, ranked))


def describe_classes(learned: ClassPathways, words: Words, sites: Sequence[Site]) -> list[ClassWords]:
    """Every known class in words."""
    flat, masks = flat_words(words, sites), learned.masks
    known = np.flatnonzero(learned.known)
    overlaps = pairwise_iou(*[masks[known].astype(np.float32)] * 2)
    np.fill_diagonal(overlaps, -np.inf)
    described = []
    for row, label in enumerate(known):
        others = known[known != label]
        # Without another class, by chance.
        usual = learned.frequencies[others].mean(axis=0) if len(others) else float(masks[label].mean())
        kept = np.where(masks[label], learned.frequencies[label], 0)
        place = int(overlaps[row].argmax())
        nearest = int(known[place]) if len(others) else None
        described.append(
            ClassWords(
                label=int(label),
                num_images=int(learned.counts[label]),
                words=_of_open(words_of(kept, flat, usual=usual), masks[label], flat),
                nearest=nearest,
                iou=float(overlaps[row, place]) if len(others) else float("nan"),
                beside=None if nearest is None else compare_words(masks[label], masks[nearest], flat),
            )
        )
    return described


def _of_open(kept: tuple[WordShare, ...], mask: np.ndarray, words: np.ndarray) -> tuple[WordShare, ...]:
    """The same words, counted by the pathway's own mask."""
    shares = _shares(mask, words)
    return tuple(shares[share.word] for share in kept if share.word in shares)


def _shares(mask: np.ndarray, words: np.ndarray) -> dict[str, WordShare]:
    """Every word of an open channel, with how many of its channels are open."""
    opened, counts = np.unique(words[mask], return_counts=True)
    totals = dict(zip(*np.unique(words, return_counts=True), strict=True))
    return {
        str(word): WordShare(str(word), int(count), int(totals[word]))
        for word, count in zip(opened, counts, strict=True)
        if word
    }
