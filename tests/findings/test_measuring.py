"""Every control against a slow forward pass, one picture at a time."""

import numpy as np
import pytest
from tiny_target import NUM_CHANNELS, NUM_CLASSES, SITES, numpy_forward, softmax, split_channels, tiny_params

from jaxpath.fills import Fill
from jaxpath.findings import (
    Asked,
    Conditions,
    Controls,
    Others,
    assess,
    learn_class_pathways,
    put_to_test,
    survey,
)
from jaxpath.findings.controls import blanks_beside
from jaxpath.findings.measuring import NUM_RANDOM

MEANS = {site.name: np.linspace(0.1, 0.9, site.channels).astype(np.float32) for site in SITES}
FILLS = {"zero": Fill(), "mean": Fill(MEANS)}


@pytest.fixture(scope="module")
def surveyed(session, method, pictures):
    return survey(session, method, pictures)


@pytest.fixture(scope="module")
def asked(pictures, surveyed):
    return Asked(pictures.images, surveyed.records.table, surveyed.classes, np.arange(len(pictures.names)))


@pytest.fixture(scope="module")
def others(pictures, surveyed):
    return Others(pictures.images, surveyed.records.predicted)


@pytest.fixture(scope="module")
def measured(session, asked, others):
    return put_to_test(session, asked, fills=FILLS, others=others, seed=3)


def probability(image, label, mask, fill, *, against=None):
    fills = None if fill == "zero" else [MEANS[site.name] for site in SITES]
    logits, _ = numpy_forward(tiny_params(), image.astype(float), split_channels(mask.astype(float)), fills)
    return softmax(logits if against is None else logits[[label, against]])[label if against is None else 0]


@pytest.mark.parametrize("ablation", ["zero", "mean"])
def test_alone_closed_and_other_pictures_are_those_of_a_slow_forward(asked, others, measured, ablation):
    for image, mask, label, one in zip(*asked[:3], measured, strict=True):
        controls = one.controls[ablation]
        for control, shown in ((controls.alone, mask), (controls.closed, ~mask)):
            assert control.probability == pytest.approx(probability(image, label, shown, ablation), abs=1e-4)
            assert control.runs == 1 and control.low == control.high == control.probability
        expected = [probability(others.images[row], label, mask, ablation) for row in one.foreign]
        assert controls.other_pictures.probability == pytest.approx(np.mean(expected), abs=1e-4)
        assert controls.other_pictures.runs == len(one.foreign) > 0
        assert (others.predicted[one.foreign] != label).all()
        if ablation == "zero":
            np.testing.assert_allclose(one.probabilities, expected, atol=1e-4)


@pytest.mark.parametrize("ablation", ["zero", "mean"])
def test_blank_pictures_are_those_of_the_metrics(session, asked, measured, ablation):
    blanks = blanks_beside(asked.images, asked.places, session.target, seed=3)
    assert blanks.shape == (11, 4, 4, 4, 3) and (blanks[:, 1] == 128).all() and (blanks[:, 2] == 0).all()
    for shown, mask, label, one in zip(blanks, *asked[1:3], measured, strict=True):
        expected = [probability(image, label, mask, ablation) for image in shown]
        control = one.controls[ablation].blank_pictures
        assert control.probability == pytest.approx(np.mean(expected), abs=1e-4) and control.runs == 4


def test_random_pathways_have_as_many_channels_at_each_site_and_the_same_are_opened_and_closed(
    session, asked, monkeypatch
):
    seen = []
    original = __import__("jaxpath.findings.measuring", fromlist=["x"]).predict_pairs

    def watch(session, pool, table, pairs, **more):
        seen.append((table, pairs))
        return original(session, pool, table, pairs, **more)

    monkeypatch.setattr("jaxpath.findings.measuring.predict_pairs", watch)
    (one, *_) = put_to_test(session, asked, seed=3)
    (table, _), count = seen[0], len(asked.images)
    drawn = table[2 * count :].reshape(2, count, NUM_RANDOM, NUM_CHANNELS)
    assert (drawn[0] != drawn[1]).all() and one.controls["zero"].random_alone.runs == NUM_RANDOM
    for i, mask in enumerate(asked.table):
        wanted = [part.sum() for part in split_channels(mask)]
        for row in drawn[0, i]:
            assert [part.sum() for part in split_channels(row)] == wanted
        assert len({tuple(row) for row in drawn[0, i].tolist()}) > 1
    expected = [probability(asked.images[0], asked.classes[0], row, "zero") for row in drawn[1, 0]]
    assert one.controls["zero"].random_closed.probability == pytest.approx(np.mean(expected), abs=1e-4)


def test_what_is_drawn_for_a_picture_does_not_depend_on_the_pictures_beside_it(
    session, asked, others, measured
):
    part = Asked(*(values[5:7] for values in asked[:4]))
    for one, again in zip(
        measured[5:7], put_to_test(session, part, fills=FILLS, others=others, seed=3), strict=True
    ):
        for ablation in FILLS:
            np.testing.assert_allclose(again.controls[ablation], one.controls[ablation], atol=1e-5)


def test_rather_than_another_class_only_the_two_count(session, asked, surveyed):
    against = (int(asked.classes[0]) + 1) % NUM_CLASSES
    one = put_to_test(session, Asked(*(v[:1] for v in asked[:4]), against))[0].controls["zero"]
    expected = probability(asked.images[0], asked.classes[0], asked.table[0], "zero", against=against)
    assert one.alone.probability == pytest.approx(expected, abs=1e-4)
    assert one.alone.share == float(expected > 0.5)


def test_assessments_put_the_pathway_of_the_class_to_the_same_test(session, pictures, surveyed, others):
    learned = learn_class_pathways(surveyed.records, NUM_CLASSES)
    assessments = assess(session, pictures, surveyed, Conditions(FILLS, others, learned, seed=3))
    assert [a.name for a in assessments] == list(pictures.names)
    for image, a in zip(pictures.images, assessments, strict=True):
        mask = learned.masks[a.explained]
        for ablation, controls in a.class_measured.controls.items():
            expected = probability(image, a.explained, mask, ablation)
            assert controls.alone.probability == pytest.approx(expected, abs=1e-4)
        assert a.clean == pytest.approx(a.probability, abs=1e-5)
        assert set(a.as_row()["mean"]) >= set(Controls._fields) | {"verdict", "random_closed_low"}


def test_kept_measurements_are_the_same_and_are_not_made_twice(
    session, pictures, surveyed, tmp_path, monkeypatch
):
    conditions = Conditions(FILLS, seed=1)
    first = assess(session, pictures, surveyed, conditions, folder=tmp_path)
    assert len(list(tmp_path.iterdir())) == 2  # eight pictures, and three

    def refuse(*_, **__):
        raise AssertionError("measured again")

    monkeypatch.setattr("jaxpath.findings.keeping.put_to_test", refuse)
    again = assess(session, pictures, surveyed, conditions, folder=tmp_path)
    for one, other in zip(first, again, strict=True):
        assert str(one.as_row()) == str(other.as_row())
    with pytest.raises(AssertionError, match="measured again"):
        assess(session, pictures, surveyed, Conditions(FILLS, seed=2), folder=tmp_path)
