import numpy as np
import pytest
import tiny_target as tiny

from jaxpath import metrics

COUNT = 21
UNREADABLE = (2, 10)


def data():
    images, labels = tiny.tiny_images(COUNT)
    return tiny.make_batches(images, labels, unreadable=UNREADABLE)


@pytest.fixture
def records():
    return metrics.explain_all(tiny.tiny_session(), tiny.method_of(tiny.by_activation), data())


def run(frequencies, records, num_devices=1, **options):
    return metrics.transfer(tiny.tiny_session(num_devices), frequencies, records, data(), **options)


def test_frequencies_use_the_first_images_of_each_predicted_class(records):
    result = metrics.source_frequencies(records, 4, images_per_class=2)
    for label in range(3):
        first = [mask for mask, c in zip(records.masks, records.predicted, strict=True) if c == label][:2]
        np.testing.assert_allclose(result[label], np.mean(first, axis=0))
    assert np.isnan(result[3]).all()


@pytest.mark.parametrize("num_devices", [1, 8])
def test_rows_agree_with_one_image_at_a_time(records, num_devices):
    frequencies = metrics.source_frequencies(records, tiny.NUM_CLASSES)
    (row,) = run(frequencies, records, num_devices, thresholds=[0.7])
    images = tiny.tiny_images(COUNT)[0].astype(np.float64)[records.indices]
    for name, shift in (("class", 0), ("other", 1)):
        fidelity, accuracy, drops, rises = [], [], [], []
        for i, image in enumerate(images):
            c = records.predicted[i]
            mask = frequencies[(c + shift) % 3] >= 0.7
            logits, _ = tiny.numpy_forward(tiny.tiny_params(), image, tiny.split_channels(mask))
            p, o = records.clean_confidence[i], tiny.softmax(logits)[c]
            fidelity.append(logits.argmax() == c)
            accuracy.append(logits.argmax() == records.labels[i])
            drops.append(max(0, p - o) / p)
            rises.append(o > p)
        expected = {"fidelity": fidelity, "accuracy": accuracy, "mdc": drops, "mic": rises}
        for metric, values in expected.items():
            assert row[f"{name}_{metric}"] == pytest.approx(np.mean(values), rel=1e-4), (name, metric)
    assert row["threshold"] == 0.7
    assert row["density"] == pytest.approx(np.mean((frequencies >= 0.7)[records.predicted]))


def test_an_open_pathway_keeps_every_prediction(records):
    (row,) = run(np.ones((3, tiny.NUM_CHANNELS)), records, thresholds=[1.0])
    for name in ("class", "random", "other"):
        assert (row[f"{name}_fidelity"], row["density"]) == (1, 1)
        assert row[f"{name}_mdc"] == pytest.approx(0, abs=1e-6)


def test_classes_without_a_source_are_left_out(records):
    frequencies = np.ones((3, tiny.NUM_CHANNELS))
    frequencies[1] = np.nan
    (row,) = run(frequencies, records, thresholds=[0.5])
    scored = records.predicted != 1
    assert row["class_accuracy"] == pytest.approx(
        np.mean(records.predicted[scored] == records.labels[scored])
    )
    assert row["other_fidelity"] == 1


def test_a_higher_threshold_keeps_fewer_neurons(records):
    rows = run(metrics.source_frequencies(records, 3), records)
    densities = [row["density"] for row in rows]
    assert [row["threshold"] for row in rows] == [0.5, 0.7, 0.9, 1.0]
    assert densities == sorted(densities, reverse=True) and densities[0] > densities[-1]


def test_one_class_alone_cannot_be_compared(records):
    frequencies = np.full((3, tiny.NUM_CHANNELS), np.nan)
    frequencies[0] = 1
    assert run(frequencies, records) == []
