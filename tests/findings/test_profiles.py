"""What is said of one channel, against its activations in NumPy."""

import numpy as np
import pytest
from tiny_target import NUM_CHANNELS, SITES, numpy_forward, tiny_params

from jaxpath.findings import survey
from jaxpath.findings.profiles import find_site, profile_channel
from jaxpath.types import InputError


@pytest.fixture(scope="module")
def surveyed(session, method, pictures):
    return survey(session, method, pictures)


@pytest.fixture(scope="module")
def peaks(pictures):
    """[n, N] by a slow forward pass."""
    rows = []
    for image in pictures.images:
        _, activations = numpy_forward(tiny_params(), image.astype(float))
        rows.append(np.concatenate([a.reshape(-1, a.shape[-1]).max(axis=0) for a in activations]))
    return np.array(rows)


@pytest.mark.parametrize(("at", "channel"), [(0, 2), (1, 4), (2, 0)])
def test_a_profile_tells_what_the_activations_do(pictures, surveyed, peaks, at, channel):
    profile = profile_channel(
        pictures, surveyed, SITES, (at, channel), words={SITES[at].name: {channel: "fur"}}
    )
    neuron = sum(site.channels for site in SITES[:at]) + channel
    own = peaks[:, neuron]
    assert profile.words == "fur" and profile.num_pictures == 11
    assert profile.silent == pytest.approx((own <= 0).mean())
    assert profile.counts.sum() == (own > 0).sum()
    assert profile.kept == pytest.approx(surveyed.records.masks[:, neuron].mean())
    responses = [each.response for each in profile.strongest]
    assert responses == pytest.approx(np.sort(own[own > 0])[::-1], rel=1e-3)
    for share in profile.classes:
        rows = surveyed.records.predicted == share.label
        assert (
            share.response == pytest.approx(own[rows].mean(), rel=1e-3) and share.num_pictures == rows.sum()
        )
    kept = surveyed.records.masks[:, neuron]
    for share in profile.keepers:
        rows = surveyed.records.predicted == share.label
        assert share.kept == pytest.approx(kept[rows].mean()) and share.kept > 0
    assert {share.label for share in profile.keepers} == set(surveyed.records.predicted[kept > 0].tolist())
    # Companions by NumPy's own correlation.
    starts = np.cumsum([0, *(site.channels for site in SITES)])
    for each in profile.companions:
        other = starts[SITES.index(each.site)] + each.channel
        assert other != neuron
        assert each.correlation == pytest.approx(np.corrcoef(own, peaks[:, other])[0, 1], abs=1e-3)
    assert len(profile.companions) <= NUM_CHANNELS - 1


def test_sites_are_named_by_their_name_their_position_or_a_part(pictures, surveyed):
    assert [find_site(word, SITES) for word in ("000.first", "1", "dense")] == [0, 1, 2]
    with pytest.raises(InputError, match="names no site"):
        find_site("third", SITES)
    with pytest.raises(InputError, match="names 3 sites"):
        find_site("00", SITES)
    with pytest.raises(InputError, match="channels 0 to 3"):
        profile_channel(pictures, surveyed, SITES, (2, 4))
