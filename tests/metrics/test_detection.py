"""Areas under ROC curves, and pathways on a panel, against loops over pairs of pictures."""

import functools

import numpy as np
import pytest
import tiny_target as tiny
from test_references import COUNT, KEPT, data, references, slow_fill
from test_trials import explained, split

from jaxpath import metrics
from jaxpath.metrics.detection import detect
from jaxpath.types import InputError


def slow_auroc(positive, negative):
    pairs = [(p > n) + 0.5 * (p == n) for p in positive for n in negative]
    return np.mean(pairs) if pairs else np.nan


@pytest.mark.parametrize("sizes", [(1, 1), (5, 8), (40, 3), (0, 4), (4, 0)])
def test_the_area_is_the_share_of_pairs_in_the_right_order(sizes):
    rng = np.random.default_rng(sum(sizes))
    positive, negative = (rng.integers(0, 6, size).astype(float) for size in sizes)
    np.testing.assert_allclose(metrics.auroc(positive, negative), slow_auroc(positive, negative))


def test_a_detector_has_area_one_a_switch_one_half():
    assert metrics.auroc(np.array([2.0, 3.0]), np.array([-1.0, 1.0])) == 1.0
    assert metrics.auroc(np.full(5, 9.0), np.full(7, 9.0)) == 0.5
    with pytest.raises(InputError, match="margins are not finite"):
        metrics.auroc(np.array([np.nan]), np.array([0.0]))


@functools.cache
def panel():
    return metrics.make_panel(tiny.tiny_session(), data(), np.array(KEPT))


def test_a_panel_is_every_second_image_of_a_small_data_set():
    chosen = KEPT[::2]
    np.testing.assert_array_equal(panel().indices, chosen)
    np.testing.assert_array_equal(panel().images, tiny.tiny_images(COUNT)[0][chosen])
    few = metrics.make_panel(tiny.tiny_session(), data(), np.array(KEPT), most=3)
    np.testing.assert_array_equal(few.indices, [KEPT[0], KEPT[6], KEPT[12]])


@pytest.mark.parametrize("granularity", ["channel", "unit"])
def test_a_class_pathway_is_what_its_pathways_keep_most_often(granularity):
    records = explained(granularity)
    rows = np.arange(1, len(KEPT), 2)
    total = tiny.NUM_CHANNELS if granularity == "channel" else tiny.NUM_UNITS
    classes, table = metrics.class_pathways(records, rows, num_neurons=total)
    for label, found in zip(classes, table, strict=True):
        members = [row for row in rows if records.predicted[row] == label]
        flat = [np.concatenate([np.ravel(part) for part in split(records, row)]) for row in members]
        often = np.mean(flat, axis=0)
        num_open = round(float(records.unit_density[rows].mean()) * total)
        best = sorted(range(total), key=lambda n: (-often[n], n))[:num_open]
        opened = found if granularity == "channel" else np.unpackbits(found, count=total)
        np.testing.assert_array_equal(np.flatnonzero(opened), np.sort(best))


@pytest.mark.parametrize("num_devices", [1, 8])
@pytest.mark.parametrize("ablation", ["zero", "mean", "interchange"])
@pytest.mark.parametrize("granularity", ["channel", "unit"])
def test_detection_agrees_with_loops_over_pictures(granularity, ablation, num_devices):
    given = references()
    session = tiny.tiny_session(num_devices, fill=given.fill(ablation))
    records = explained(granularity)
    result = detect(session, records, panel())
    inside = np.flatnonzero(np.isin(KEPT, panel().indices))
    outside = np.setdiff1d(np.arange(len(KEPT)), inside)
    total = tiny.NUM_CHANNELS if granularity == "channel" else tiny.NUM_UNITS
    known, table = metrics.class_pathways(records, outside, num_neurons=total)

    def outcome(mask, place, label):
        image = np.asarray(panel().images[place], np.float64)
        fills = slow_fill(ablation, given, label, place)
        logits, _ = tiny.numpy_forward(tiny.tiny_params(), image, mask, fills)
        return logits[label] - np.delete(logits, label).max(), logits.argmax() == label

    areas, accepted, leaked = [], [], []
    for label, row in zip(known, table, strict=True):
        if label not in records.predicted[inside]:
            continue
        mask = split(records._replace(masks=row[None], unit_bits=row[None]), 0)
        if granularity == "channel":
            mask = tiny.split_channels(row)
        own = records.predicted[inside] == label
        tried = [outcome(mask, place, label) for place in range(len(inside))]
        mine, others = ([t for t, o in zip(tried, own, strict=True) if o == side] for side in (1, 0))
        areas.append(slow_auroc([m for m, _ in mine], [m for m, _ in others]))
        accepted += [taken for _, taken in mine]
        leaked += [taken for _, taken in others]
    np.testing.assert_allclose(result.classes, areas)
    np.testing.assert_array_equal(result.accepted, accepted)
    np.testing.assert_array_equal(result.leaked, leaked)

    # Nine pictures: each has its own pathway tried, in the order of classes.
    rows = inside[np.argsort(records.predicted[inside], kind="stable")]
    for area, row in zip(result.instances, rows, strict=True):
        label = records.predicted[row]
        mask = split(records, row)
        margins = {other: outcome(mask, place, label)[0] for place, other in enumerate(inside)}
        positive = [m for o, m in margins.items() if records.predicted[o] == label and o != row]
        negative = [m for o, m in margins.items() if records.predicted[o] != label]
        np.testing.assert_allclose(area, slow_auroc(positive, negative))


def test_closed_pathways_detect_nothing_and_open_ones_what_the_network_does():
    session = tiny.tiny_session()
    for density, area in ((0.0, 0.5), (1.0, 1.0)):
        (records,) = metrics.explain_at_densities(
            session, tiny.method_of(tiny.by_activation), data(), densities=[density]
        )
        result = detect(session, records, panel())
        known = result.instances[np.isfinite(result.instances)]
        np.testing.assert_array_equal(result.classes, area)
        np.testing.assert_array_equal(known, area)


def test_intervals_hold_their_figures_and_are_of_means_alone():
    evidence = metrics.gather_evidence(tiny.tiny_session(), explained("channel"), data())
    figures, intervals = metrics.figures_of(evidence), metrics.intervals_of(evidence)
    for name, interval in intervals.items():
        assert interval.mean == pytest.approx(figures[name]), name
        assert interval.low <= interval.mean <= interval.high
    assert {"fidelity", "leakage", "blank_acceptance", "selectivity", "connected"} <= set(intervals)
    assert "aciou" not in intervals and "worst_class_fidelity" not in intervals


def test_evidence_under_another_fill_is_that_of_new_records():
    records = explained("channel")
    mean = tiny.tiny_session(fill=references().fill("mean"))
    first = metrics.gather_evidence(tiny.tiny_session(), records, data())
    result = metrics.figures_of(metrics.gather_under(mean, first, data(), panel=panel()))
    anew = metrics.explain_all(mean, tiny.method_of(tiny.by_activation), data())
    expected = metrics.evaluate_records(mean, anew, data())
    for name, value in result.items():
        np.testing.assert_allclose(value, expected[name], rtol=1e-5, err_msg=name)
    assert result["fidelity"] != metrics.figures_of(first)["fidelity"]
