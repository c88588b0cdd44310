"""Pictures in memory, of which whole blocks cannot be read."""

import numpy as np
import pytest

from jaxpath import data
from jaxpath.findings import load_blocks, load_pictures, load_reference
from jaxpath.findings.reference import Draw


class WithHoles(data.ArraySource):
    """Pictures of one value, their number; those in ``holes`` cannot be read."""

    def __init__(self, count, holes):
        super().__init__(
            np.arange(count, dtype=np.uint8)[:, None, None, None] + np.zeros((1, 4, 4, 3), np.uint8),
            np.arange(count) % 2,
        )
        self.holes = set(holes)

    def __getitem__(self, index):
        if index in self.holes:
            raise data.UnreadableImage("it is a hole")
        return super().__getitem__(index)


@pytest.mark.parametrize("holes", [[], range(40), range(20, 60), range(70, 90), range(89)])
def test_blocks_hold_what_can_be_read_and_none_is_empty(session, holes):
    source = WithHoles(90, holes)
    blocks = list(load_blocks(session, source, size=16, skip_unreadable=True))
    read = [place for place in range(90) if place not in holes]
    np.testing.assert_array_equal(np.concatenate([b.images[:, 0, 0, 0] for b in blocks]), read)
    assert [name for b in blocks for name in b.names] == [source.name(place) for place in read]
    np.testing.assert_array_equal(np.concatenate([b.labels for b in blocks]), np.array(read) % 2)
    sizes = [len(b.names) for b in blocks]
    assert min(sizes) > 0 and max(sizes) < 32
    whole = load_pictures(session, source, skip_unreadable=True)
    np.testing.assert_array_equal(whole.images[:, 0, 0, 0], read)


def test_pictures_of_which_none_can_be_read_are_an_error_at_the_end(session):
    source = WithHoles(20, range(20))
    with pytest.raises(data.NothingReadable, match=r"none of the 20 images can be read \(.*it is a hole\)"):
        list(load_blocks(session, source, size=16, skip_unreadable=True))


@pytest.mark.parametrize("slow", [False, True])
def test_a_reference_is_what_can_be_read_of_it(session, method, monkeypatch, tmp_path, slow):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(
        "jaxpath.findings.reference.SLOW" if slow else "jaxpath.findings.reference.QUICK", Draw(8, 4)
    )
    method = method._replace(slow=slow)
    order = np.random.default_rng(method.seed).permutation(60)
    # The first two draws of eight are holes, and so is every picture of class 1.
    holes = {*order[:16].tolist(), *range(1, 60, 2)}
    reference = load_reference(session, method, WithHoles(60, holes), {0, 1}, identity="test")
    drawn = [int(place) for place in sorted(order[16:24]) if place not in holes]
    same = [int(place) for place in order[24:] if place % 2 == 0][:4]
    assert drawn
    np.testing.assert_array_equal(reference.pictures.images[:, 0, 0, 0], drawn + sorted(same))
    with pytest.raises(data.NothingReadable, match="none of the 60 images can be read"):
        load_reference(session, method, WithHoles(60, range(60)), {0}, identity="test")
