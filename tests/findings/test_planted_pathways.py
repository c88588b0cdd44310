"""Verdicts on networks whose channels do what is written here, and on trained ones with known directions."""

import os
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxpath import data, devices, explainers, findings, gencnp, metrics, runs, targets
from jaxpath.fills import Fill
from jaxpath.gating import Taps
from jaxpath.types import Pathway, Preprocessing, Site, Target, TargetOutput

CLASSES, EACH = 16, 5
SITES = (Site("000.show", CLASSES * EACH, None), Site("001.carry", CLASSES * EACH, None))
"""Five channels for each class, which see whether its pixel alone is lit; and as many that are always 1."""


def planted(*, fragile: bool) -> Target:
    """A picture of class k has one lit pixel, the k-th of 16.

    The logit of k is 8 times the sum of its five channels of the first site, plus twice that of its five
    of the second. In the fragile network, all is lost where any channel of the second site is closed.
    """

    def apply(params, images, gates=None):
        taps = Taps(gates)
        x = images.astype(jnp.float32).reshape(images.shape[0], CLASSES)
        x = x / jnp.where(images.dtype == jnp.uint8, 255, 1)
        show = taps("show", jnp.repeat(jax.nn.relu(x - 3 * x.mean(axis=1, keepdims=True)), EACH, axis=1))
        carry = taps("carry", jnp.ones_like(show) * params)
        shown, always = (a.reshape(-1, CLASSES, EACH).sum(axis=2) for a in (show, carry))
        logits = 8 * shown + 2 * always
        if fragile:
            logits = logits * jax.nn.relu(carry.sum(axis=1, keepdims=True) - CLASSES * EACH + 1)
        return TargetOutput(logits, taps.features)

    preprocessing = Preprocessing(None, (4, 4), (0.0,), (1.0,))
    return Target("planted", SITES, CLASSES, preprocessing, lambda key: jnp.ones(()), apply, apply)


PICTURES = findings.Pictures(
    (255 * np.eye(CLASSES)).astype(np.uint8).reshape(CLASSES, 4, 4, 1)[1:],
    tuple(f"{k}.png" for k in range(1, CLASSES)),
    np.arange(1, CLASSES),
)
"""Of all classes but the first, which comes out where all logits are equal."""


def judged(channels, *, fragile=False):
    """The verdicts on pathways of these channels, ``channels(k) -> [160]`` bool, under both ablations."""
    target = planted(fragile=fragile)
    session = metrics.Session(target, jnp.ones(()), devices.make_mesh(jax.devices()[:1]), 64)
    masks = np.stack([channels(k) for k in range(CLASSES)])

    def explain(params, images, labels, *, key):
        chosen = jnp.asarray(masks, jnp.float32)[labels]
        parts = {"000.show": chosen[:, : CLASSES * EACH], "001.carry": chosen[:, CLASSES * EACH :]}
        return Pathway(parts, parts)

    method = metrics.Method.of("planted", explain)
    surveyed = findings.survey(session, method, PICTURES)
    assert surveyed.classes.tolist() == list(range(1, CLASSES))
    means = metrics.site_means(
        session, metrics.array_passes(session, image=PICTURES.images, label=PICTURES.labels)
    )
    others = findings.others_for(PICTURES, surveyed, None)
    conditions = findings.Conditions({"zero": Fill(), "mean": Fill(means)}, others)
    assessments = findings.assess(session, PICTURES, surveyed, conditions)
    assert len({str(a.judgement.by_ablation) for a in assessments}) == 1
    return assessments[0]


def own(first, second=False):
    """The channels of a class: at the first site, at the second, at both."""

    def channels(k):
        part = np.repeat(np.arange(CLASSES) == k, EACH)
        return np.concatenate([part & first, part & second])

    return channels


def test_channels_that_show_the_picture_carry_the_decision():
    one = judged(own(True))
    assert one.judgement.verdict == "carries_this_decision" and not one.judgement.weak
    for controls in one.measured.controls.values():
        assert controls.needed and controls.alone.share == 1
        assert controls.random_closed.low > controls.closed.probability + 0.5
        assert controls.other_pictures.strongest < 0.3 and controls.blank_pictures.strongest < 0.3


def test_channels_that_are_always_on_name_the_class_whatever_is_shown():
    one = judged(own(False, True))
    zero = one.measured.controls["zero"]
    assert zero.verdict == "names_the_class" and zero.says_it_by_itself and zero.alone.share == 1
    # At their mean they say what they always say, and nothing is left of the picture.
    assert one.measured.controls["mean"].verdict == "not_enough"
    assert one.judgement.verdict == "names_the_class" and one.judgement.weak


def test_channels_of_another_class_are_not_enough():
    one = judged(lambda k: own(True)((k + 1) % CLASSES))
    assert one.judgement.verdict == "not_enough"


def test_a_network_that_breaks_at_any_closed_channel_shows_no_need_for_these():
    """As a ResNet-18 does: closing as many random channels has the same effect."""

    def all_carriers(k):
        return np.concatenate([np.repeat(np.arange(CLASSES) == k, EACH), np.ones(CLASSES * EACH, bool)])

    zero = judged(all_carriers, fragile=True).measured.controls["zero"]
    assert zero.enough and not zero.says_it_by_itself
    assert zero.closed.probability < 0.1 and zero.random_closed.high < 0.1
    assert not zero.needed and zero.verdict == "names_the_class"


@pytest.fixture(scope="module")
def real():
    folder = os.environ.get("JAXPATH_TEST_DATA")
    if not folder or not (Path(folder) / "imagenet").is_dir():
        pytest.skip("JAXPATH_TEST_DATA names no folder with imagenet/")
    return Path(folder)


@pytest.mark.slow
def test_closing_a_fifth_of_a_resnet18_at_random_does_what_closing_its_pathway_does(real):
    weights = real / "imagenet" / "resnet18.safetensors"
    target = targets.make_target("resnet18")
    session = metrics.Session(target, targets.load_weights(target, weights), devices.make_mesh(), 8)
    pictures = findings.load_pictures(
        session, data.Subset(data.image_files([real / "photos20" / "val"]), range(3))
    )
    explain = explainers.make_explainer("taylor_signed", target, density=0.2)
    surveyed = findings.survey(session, metrics.Method.of("taylor_signed", explain), pictures)
    for one in findings.assess(session, pictures, surveyed):
        zero = one.measured.controls["zero"]
        assert zero.closed.probability < 0.05 and zero.random_closed.high < 0.05
        assert not zero.needed and zero.verdict == "names_the_class"


@pytest.mark.slow
def test_digits_need_the_channels_of_a_trained_generator(tmp_path):
    """Of 24 pictures: the mean gap between random channels closed and the pathway closed is large."""
    runs.run_digits(runs.Digits(out=tmp_path))
    target = targets.resnet8(image_size=8, channels=1)
    params = targets.load_weights(target, tmp_path / "target" / "weights.safetensors")
    session = metrics.Session(target, params, devices.make_mesh(), 32)
    generator, trained, *_ = runs.load_generator(tmp_path, target, params=params)
    method = metrics.Method("g", lambda found: gencnp.make_gencnp(target, generator, found), trained)
    pictures = findings.load_pictures(session, data.Subset(data.digits("test"), range(24)))
    surveyed = findings.survey(session, method, pictures)
    controls = [one.measured.controls["zero"] for one in findings.assess(session, pictures, surveyed)]
    closed, random = (
        np.mean([getattr(each, name).probability for each in controls])
        for name in ("closed", "random_closed")
    )
    assert closed < 0.15 and random > closed + 0.15
    assert np.mean([each.needed for each in controls]) > 0.3
