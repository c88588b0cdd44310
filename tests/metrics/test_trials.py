"""Pathways on other pictures, against one image at a time in NumPy."""

import functools

import jax.numpy as jnp
import numpy as np
import pytest
import tiny_target as tiny
from test_references import COUNT, KEPT, UNREADABLE, data, references, slow_fill, split_bits

from jaxpath import metrics
from jaxpath.blanks import blank_pictures
from jaxpath.metrics.trials import REGION

EXPLAINERS = {"channel": tiny.by_activation, "unit": tiny.by_unit_activation}
ALL = ("zero", "mean", "interchange")
REGIONS = np.zeros((COUNT, 4, 4), np.uint8)
REGIONS[:, 1:3, :2] = 1
REGIONS[KEPT[3]], REGIONS[KEPT[4]] = 0, 1  # nothing is marked, and everything


def marked():
    """The data set with objects."""

    def one_pass():
        for batch in data()():
            yield {**batch, REGION: REGIONS[batch["index"]]}

    return one_pass


def session_under(ablation, num_devices=1):
    return tiny.tiny_session(num_devices, fill=references().fill(ablation))


@functools.cache
def explained(granularity):
    return metrics.explain_all(tiny.tiny_session(), tiny.method_of(EXPLAINERS[granularity]), data())


def image_at(row):
    return tiny.tiny_images(COUNT)[0][KEPT[row]].astype(np.float64)


def split(records, row):
    table = records.table[row]
    return split_bits(table) if table.dtype == np.uint8 else tiny.split_channels(table)


class Slow:
    """One image under one pathway, in NumPy."""

    def __init__(self, records, ablation):
        self.records, self.ablation, self.given = records, ablation, references()

    def logits(self, image, place, mask, owner):
        fills = slow_fill(self.ablation, self.given, owner, KEPT[place], None)
        return tiny.numpy_forward(tiny.tiny_params(), image, split(self.records, mask), fills)[0]


@pytest.mark.parametrize("num_devices", [1, 8])
@pytest.mark.parametrize("ablation", ALL)
@pytest.mark.parametrize("granularity", EXPLAINERS)
def test_trials_agree_with_one_image_at_a_time(granularity, ablation, num_devices):
    records = explained(granularity)
    trials = metrics.put_to_trial(session_under(ablation, num_devices), records, marked(), seed=3)
    slow, predicted = Slow(records, ablation), records.predicted
    np.testing.assert_array_equal(trials.foreign_partners, metrics.foreign_partners(predicted, seed=3))
    np.testing.assert_array_equal(trials.kin_partners, metrics.kin_partners(predicted, seed=3))
    preprocessing = tiny.tiny_target().preprocessing
    images = jnp.asarray(tiny.tiny_images(COUNT)[0][KEPT])
    blanks = np.asarray(blank_pictures(images, jnp.asarray(KEPT), preprocessing, seed=3), np.float64)
    for i, c in enumerate(predicted):
        own = slow.logits(image_at(i), i, i, c)
        assert trials.own_predicted[i] == own.argmax()
        assert trials.own_confidence[i] == pytest.approx(tiny.softmax(own)[c], rel=1e-3)
        foreign = trials.foreign_partners[i]
        crossed = slow.logits(image_at(i), i, foreign, predicted[foreign])
        assert trials.foreign_predicted[i] == crossed.argmax()
        kin = slow.logits(image_at(i), i, trials.kin_partners[i], c)
        assert trials.kin_predicted[i] == kin.argmax()
        for kind in range(4):
            blank = slow.logits(blanks[kind, i], i, i, c)
            assert trials.blank_predicted[i, kind] == blank.argmax()
        region = REGIONS[KEPT[i]][..., None]
        hidden, rest = (
            abs(slow.logits(image_at(i) * shown, i, i, c)[c] - own[c]) for shown in (1 - region, region)
        )
        if i in (3, 4) or hidden + rest < 1e-9:
            assert np.isnan(trials.object_share[i])
        else:
            assert trials.object_share[i] == pytest.approx(hidden / (hidden + rest), rel=1e-2, abs=1e-4)


@pytest.mark.parametrize("ablation", ALL)
def test_connected_are_pathways_through_which_a_pixel_moves_the_logit(ablation):
    records, moved = explained("channel"), []
    # One pathway without its first site, and one without its last.
    masks = records.masks.copy()
    masks[0, :6], masks[1, 11:] = False, False
    records = records._replace(masks=masks)
    trials = metrics.put_to_trial(session_under(ablation), records, data())
    slow = Slow(records, ablation)
    for i, c in enumerate(records.predicted):
        image = image_at(i)
        before = slow.logits(image, i, i, c)[c]
        steps = 1e-4 * np.eye(image.size).reshape(-1, *image.shape)
        moved.append(any(abs(slow.logits(image + step, i, i, c)[c] - before) > 1e-9 for step in steps))
    np.testing.assert_array_equal(trials.connected, moved)
    assert not moved[0] and not moved[1] and any(moved)


def test_without_marked_objects_nothing_is_said_of_them():
    records = explained("channel")
    assert metrics.put_to_trial(tiny.tiny_session(), records, data()).object_share is None
    figures = metrics.evaluate_records(tiny.tiny_session(), records, data())
    assert "object_above_background" not in figures
    share = metrics.put_to_trial(tiny.tiny_session(), records, marked()).object_share
    known = share[np.isfinite(share)]
    figures = metrics.evaluate_records(tiny.tiny_session(), records, marked())
    assert figures["object_above_background"] == pytest.approx((known > 0.5).mean())


def test_each_image_gets_another_one_of_its_class():
    classes = np.array([2, 0, 0, 2, 1, 0, 2, 2])
    for seed in range(20):
        partners = metrics.kin_partners(classes, seed=seed)
        np.testing.assert_array_equal(classes[partners], classes)
        alone = partners == np.arange(8)
        np.testing.assert_array_equal(np.flatnonzero(alone), [4])
    drawn = {int(metrics.kin_partners(classes, seed=seed)[0]) for seed in range(100)}
    assert drawn == {3, 6, 7}


def test_metrics_of_the_trials_are_their_plain_means():
    records = explained("channel")
    trials = metrics.put_to_trial(tiny.tiny_session(), records, data())
    figures = metrics.evaluate_records(tiny.tiny_session(), records, data())
    c, count = records.predicted, len(records.predicted)
    paired = [i for i in range(count) if trials.kin_partners[i] != i]
    expected = {
        "leakage": np.mean(
            [trials.foreign_predicted[i] == c[trials.foreign_partners[i]] for i in range(count)]
        ),
        "same_class_acceptance": np.mean([trials.kin_predicted[i] == c[i] for i in paired]),
        "blank_acceptance": np.mean([[b == c[i] for b in trials.blank_predicted[i]] for i in range(count)]),
        "connected": trials.connected.mean(),
    }
    for name, value in expected.items():
        assert figures[name] == pytest.approx(value), name


def test_of_one_class_there_is_no_leakage_and_blank_pictures_are_accepted():
    params = tiny.tiny_params()
    biased = {**params, "readout": params["readout"].at[:, 0].set(100.0)}
    session = tiny.tiny_session(params=biased)
    records = metrics.explain_all(session, tiny.method_of(tiny.by_activation), data())
    assert set(records.predicted) == {0}
    figures = metrics.evaluate_records(session, records, data())
    assert np.isnan(
        [figures[name] for name in ("leakage", "retention", "selectivity", "class_leakage")]
    ).all()
    assert figures["same_class_acceptance"] == 1.0


def test_unreadable_images_are_in_no_trial():
    assert len(explained("channel").indices) == COUNT - len(UNREADABLE)
