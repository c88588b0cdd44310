"""Two pathways side by side, counted by hand."""

import numpy as np
import pytest
from tiny_target import SITES

from jaxpath.findings import WordComparison, WordShare, survey
from jaxpath.findings.side_by_side import match_words, set_side_by_side
from jaxpath.pathways import offsets


@pytest.fixture(scope="module")
def surveyed(session, method, pictures):
    return survey(session, method, pictures)


def test_what_both_open_and_what_only_one_does(pictures, surveyed):
    rows = np.array([1, 4])
    two = surveyed.take(rows)
    words = {SITES[0].name: dict.fromkeys(range(6), "fur")}
    sides = set_side_by_side(pictures.take(rows), two, SITES, words=words)
    one, other = two.records.masks
    assert sides.iou == pytest.approx((one & other).sum() / (one | other).sum())
    for shares, start in zip(sides.sites, offsets(SITES)[:-1], strict=True):
        part = slice(start, start + shares.site.channels)
        assert shares.both + shares.first == one[part].sum()
        assert shares.both + shares.second == other[part].sum()
    starts = offsets(SITES)
    for name, mask in (("both", one & other), ("first", one & ~other), ("second", other & ~one)):
        listed = [starts[SITES.index(c.site)] + c.channel for c in getattr(sides, name)]
        assert len(set(listed)) == len(listed) == min(8, mask.sum()) and mask[listed].all()
        for neuron, channel in zip(listed, getattr(sides, name), strict=True):
            assert channel.scores == tuple(two.scores[:, neuron])
    opened = [sum(mask[:6]) for mask in (one & other, one & ~other, other & ~one)]
    shown = [sum(share.num_open for share in part) for part in sides.words]
    assert shown == opened


def test_a_picture_beside_itself_shares_everything(pictures, surveyed):
    rows = np.array([3, 3])
    sides = set_side_by_side(pictures.take(rows), surveyed.take(rows), SITES)
    assert sides.iou == 1 and sides.first == sides.second == () and sides.words is None


def test_words_of_two_classifiers_are_compared_as_words():
    fur, wheel, sky = WordShare("fur", 3, 7), WordShare("wheel", 1, 2), WordShare("sky", 4, 4)
    other_fur = WordShare("fur", 1, 9)
    assert match_words((fur, wheel), (sky, other_fur)) == WordComparison((fur,), (wheel,), (sky,))
