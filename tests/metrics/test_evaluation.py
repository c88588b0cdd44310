import functools

import numpy as np
import pytest
import tiny_target as tiny

from jaxpath import metrics
from jaxpath.pathways import flatten, top_fraction
from jaxpath.types import InputError

COUNT = 21  # two full batches of 8, and one that is padded
UNREADABLE = (0, 9, 13)
KEPT = [index for index in range(COUNT) if index not in UNREADABLE]
EXPLAINERS = {"channel": tiny.by_activation, "unit": tiny.by_unit_activation}


def data(unreadable=()):
    images, labels = tiny.tiny_images(COUNT)
    return tiny.make_batches(images, labels, unreadable=unreadable)


@functools.cache
def explained(granularity, num_devices=1, unreadable=()):
    method = tiny.method_of(EXPLAINERS[granularity])
    return metrics.explain_all(tiny.tiny_session(num_devices), method, data(unreadable))


@functools.cache
def slow(granularity):
    """Every image alone, its mask by a loop over neurons: masks by site, logits, activations."""
    rows = []
    for image in tiny.tiny_images(COUNT)[0].astype(np.float64):
        clean, activations = tiny.numpy_forward(tiny.tiny_params(), image)
        units = granularity == "unit"
        scores = activations if units else [a.mean(axis=(0, 1)) if a.ndim == 3 else a for a in activations]
        flat = np.concatenate([score.ravel() for score in scores])
        num_open = round(flat.size * (0.3 if units else 0.5))
        best = sorted(range(flat.size), key=lambda n: (-flat[n], n))[:num_open]
        opened = np.isin(np.arange(flat.size), best)
        masks = (tiny.split_units if units else tiny.split_channels)(opened)
        masked, _ = tiny.numpy_forward(tiny.tiny_params(), image, masks)
        rows.append((masks, clean, masked, activations))
    return rows


@pytest.mark.parametrize("granularity", EXPLAINERS)
def test_records_agree_with_one_image_at_a_time(granularity):
    records = explained(granularity)
    _, labels = tiny.tiny_images(COUNT)
    np.testing.assert_array_equal(records.indices, np.arange(COUNT))
    np.testing.assert_array_equal(records.labels, labels)
    for i, (masks, clean, masked, activations) in enumerate(slow(granularity)):
        c = clean.argmax()
        assert records.predicted[i] == c and records.masked_predicted[i] == masked.argmax()
        assert records.clean_confidence[i] == pytest.approx(tiny.softmax(clean)[c], rel=1e-4)
        assert records.masked_confidence[i] == pytest.approx(tiny.softmax(masked)[c], rel=1e-4)
        open_channels = [mask.any(axis=(0, 1)) if mask.ndim == 3 else mask for mask in masks]
        np.testing.assert_array_equal(records.masks[i], np.concatenate(open_channels))
        flat = np.concatenate([mask.ravel() for mask in masks])
        assert records.unit_density[i] == pytest.approx(flat.mean())
        alive = [
            a > 0 if mask.shape == a.shape else a.max(axis=(0, 1)) > 0
            for a, mask in zip(activations, masks, strict=True)
        ]
        dead = sum((mask & ~live).sum() for mask, live in zip(masks, alive, strict=True))
        assert records.dead_share[i] == pytest.approx(dead / flat.sum())
    assert len(np.unique(records.predicted)) == 3
    assert 0 < (records.masked_predicted != records.predicted).sum() < COUNT


def test_the_bits_of_units_are_kept_and_those_of_channels_are_not():
    bits = explained("unit").unit_bits
    result = np.unpackbits(bits, axis=1, count=tiny.NUM_UNITS)
    expected = [np.concatenate([mask.ravel() for mask in row[0]]) for row in slow("unit")]
    np.testing.assert_array_equal(result, expected)
    assert explained("channel").unit_bits.shape == (COUNT, 0)


@pytest.mark.parametrize("granularity", EXPLAINERS)
def test_eight_devices_find_what_one_finds(granularity):
    for one, eight in zip(explained(granularity), explained(granularity, num_devices=8), strict=True):
        np.testing.assert_allclose(one, eight, rtol=1e-5)


def test_unreadable_images_leave_gaps_and_move_nothing():
    for whole, rest in zip(explained("channel"), explained("channel", unreadable=UNREADABLE), strict=True):
        np.testing.assert_allclose(whole[KEPT], rest, rtol=1e-6)


def test_images_and_devices_draw_different_random_masks():
    records = metrics.explain_all(tiny.tiny_session(8), tiny.method_of(tiny.by_chance), data())
    assert len(np.unique(records.masks, axis=0)) == COUNT


@pytest.mark.parametrize("granularity", EXPLAINERS)
@pytest.mark.parametrize("unreadable", [(), UNREADABLE])
@pytest.mark.parametrize("num_devices", [1, 8])
def test_foreign_masks_agree_with_one_image_at_a_time(granularity, unreadable, num_devices):
    records = explained(granularity, unreadable=unreadable)
    kept = records.indices
    partners = metrics.foreign_partners(records.predicted, seed=0)
    result = metrics.masked_predictions(
        tiny.tiny_session(num_devices), records, data(unreadable), table=records.table, rows=partners
    )
    images, rows = tiny.tiny_images(COUNT)[0].astype(np.float64), slow(granularity)
    assert result["masked_predicted"].shape == kept.shape
    for i, index in enumerate(kept):
        masks = rows[kept[partners[i]]][0]
        logits, _ = tiny.numpy_forward(tiny.tiny_params(), images[index], masks)
        assert result["masked_predicted"][i] == logits.argmax()
        own = tiny.softmax(logits)[rows[index][1].argmax()]
        assert result["masked_confidence"][i] == pytest.approx(own, rel=1e-4)


def test_every_metric_is_the_plain_mean_of_its_definition():
    records = explained("channel", unreadable=UNREADABLE)
    result = metrics.evaluate_records(tiny.tiny_session(), records, data(UNREADABLE), seed=4)
    rows = [slow("channel")[index] for index in KEPT]
    images, labels = (values[KEPT] for values in tiny.tiny_images(COUNT))
    predicted = np.array([clean.argmax() for _, clean, _, _ in rows])
    masked = np.array([logits.argmax() for _, _, logits, _ in rows])
    p = np.array([tiny.softmax(clean)[c] for (_, clean, _, _), c in zip(rows, predicted, strict=True)])
    o = np.array([tiny.softmax(logits)[c] for (_, _, logits, _), c in zip(rows, predicted, strict=True)])
    partners = metrics.foreign_partners(predicted, seed=4)
    crossed = np.array(
        [
            tiny.numpy_forward(tiny.tiny_params(), image, rows[partner][0])[0].argmax()
            for image, partner in zip(images.astype(np.float64), partners, strict=True)
        ]
    )
    expected = {
        "target_accuracy": np.mean(predicted == labels),
        "fidelity": np.mean(masked == predicted),
        "worst_class_fidelity": min(np.mean(masked[predicted == c] == c) for c in set(predicted)),
        "accuracy": np.mean(masked == labels),
        "mdc": np.mean([max(0, a - b) / a for a, b in zip(p, o, strict=True)]),
        "mic": np.mean(o > p),
        "density": 8 / 15,  # half of 15 channels, rounded to the even number
        "density_std": 0,
        "unit_density": 8 / 15,
        "leakage": np.mean(crossed == predicted[partners]),
        "retention": np.mean(crossed == predicted),
        "random_aciou": (8 / 15) / (2 - 8 / 15),
    }
    for name, value in expected.items():
        assert result[name] == pytest.approx(value, rel=1e-4, abs=1e-6), name
    assert result["iou_gap"] == pytest.approx(result["aciou"] - result["between_iou"])
    masks = np.array([np.concatenate(row[0]) for row in rows])
    for site, part in zip(tiny.SITES, np.split(masks, [6, 11], axis=1), strict=True):
        assert result["density_per_site"][site.name] == pytest.approx(part.mean())
    assert result["collapsed_sites"] == []


def test_a_site_with_one_value_everywhere_is_named():
    records = explained("channel")
    masks = records.masks.copy()
    masks[:, 6:11] = False
    masks[:, 11:] = True
    result = metrics.evaluate_records(tiny.tiny_session(), records._replace(masks=masks), data())
    assert result["collapsed_sites"] == ["001.second", "002.dense"]


def test_open_masks_change_nothing():
    records = explained("channel")
    everything = np.ones((1, tiny.NUM_CHANNELS), bool)
    result = metrics.masked_predictions(
        tiny.tiny_session(), records, data(), table=everything, rows=np.zeros(COUNT, np.int64)
    )
    np.testing.assert_array_equal(result["masked_predicted"], records.predicted)
    np.testing.assert_allclose(result["masked_confidence"], records.clean_confidence, rtol=1e-6)


@pytest.mark.parametrize("table", [np.ones((COUNT, 14), bool), np.ones((COUNT, 14), np.uint8)])
def test_a_table_of_another_width_is_refused(table):
    with pytest.raises(InputError, match="15 channels"):
        metrics.masked_predictions(
            tiny.tiny_session(), explained("channel"), data(), table=table, rows=np.arange(COUNT)
        )


def at_densities(make_explainer, densities, num_devices=1):
    method = tiny.method_of(make_explainer)
    return metrics.explain_at_densities(tiny.tiny_session(num_devices), method, data(), densities=densities)


@pytest.mark.parametrize(("granularity", "own_density"), [("channel", 0.5), ("unit", 0.3)])
def test_scores_cut_at_the_explainers_own_density_give_its_own_records(granularity, own_density):
    _, result = at_densities(EXPLAINERS[granularity], [0.9, own_density], num_devices=8)
    for expected, values in zip(explained(granularity), result, strict=True):
        np.testing.assert_allclose(values, expected, rtol=1e-5)


@pytest.mark.parametrize("make_explainer", EXPLAINERS.values())
def test_every_image_gets_the_density_that_was_asked_for(make_explainer):
    total = tiny.NUM_UNITS if make_explainer is tiny.by_unit_activation else tiny.NUM_CHANNELS
    densities = [0.0, 0.1, 0.6, 1.0]
    for density, records in zip(densities, at_densities(make_explainer, densities), strict=True):
        np.testing.assert_allclose(records.unit_density, round(density * total) / total, rtol=1e-6)


def test_the_order_of_neurons_is_that_of_top_fraction():
    (records,) = at_densities(tiny.by_activation, [0.2])
    explain = tiny.by_activation()
    pathway = explain(tiny.tiny_params(), tiny.tiny_images(COUNT)[0], None, key=None)
    expected = top_fraction(flatten(pathway.scores, tiny.SITES), 0.2)
    np.testing.assert_array_equal(records.masks, np.asarray(expected) > 0)


@pytest.mark.parametrize("densities", [[], [0.5, 1.1], [-0.1], [float("nan")]])
def test_densities_outside_zero_and_one_are_refused(densities):
    with pytest.raises(InputError, match="densities"):
        at_densities(tiny.by_activation, densities)
