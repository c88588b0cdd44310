import numpy as np
import pytest

from jaxpath.findings.data_set import find_data_set, outliers, project
from jaxpath.metrics import Records


def records_of(masks, predicted, **changes) -> Records:
    count = len(predicted)
    masks = np.asarray(masks, bool)
    values = {name: np.zeros(count) for name in Records._fields}
    values |= {"indices": np.arange(count), "labels": np.asarray(predicted), "masked_predicted": predicted}
    values |= {"masks": masks, "predicted": np.asarray(predicted), "unit_density": masks.mean(axis=1)}
    return Records(**{**values, **changes})


def test_the_outlier_is_the_image_that_keeps_what_its_class_does_not():
    masks = np.zeros((10, 8), bool)
    masks[:5, :4] = masks[5:, 4:] = True
    masks[3] = [False, False, False, True, True, True, True, False]
    (first,) = outliers(records_of(masks, [1] * 10), np.repeat([0, 1], 5))
    assert (first.row, first.typical) == (3, 1.0)
    assert first.iou == pytest.approx(1 / 7)


def test_a_class_of_four_images_has_no_outliers():
    masks = np.eye(4, dtype=bool)
    assert outliers(records_of(masks, [0] * 4), np.zeros(4, int)) == ()


def test_two_kinds_of_pathways_lie_apart_along_the_first_axis_which_explains_all():
    masks = np.zeros((6, 10), bool)
    masks[::2, :5] = masks[1::2, 5:] = True
    points, explained = project(masks)
    assert np.ptp(points[::2], axis=0) == pytest.approx(0, abs=1e-5)
    assert abs(points[0, 0] - points[1, 0]) == pytest.approx(1, abs=1e-5)
    assert explained == pytest.approx([1, 0], abs=1e-5)
    assert points.min() >= -1e-6 and points.max() <= 1 + 1e-6


def test_equal_pathways_lie_in_the_middle():
    points, explained = project(np.ones((4, 3), bool))
    assert (points == 0.5).all() and (explained == 0).all()


def test_one_scale_serves_both_axes():
    masks = np.random.default_rng(0).random((30, 40)) < 0.4
    points, _ = project(masks)
    assert np.ptp(points, axis=0).max() == pytest.approx(1, abs=1e-6)
    centred = masks - masks.mean(axis=0)
    directions = np.linalg.svd(centred)[2][:2]
    expected = np.abs(centred @ directions.T)
    centred_points = np.abs(points - points.mean(axis=0))
    np.testing.assert_allclose(
        centred_points / centred_points.max(), expected / expected.max(), rtol=1e-3, atol=1e-3
    )


def test_classes_are_grouped_by_prediction():
    masks = np.array([[1, 1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 1]], bool)
    records = records_of(masks, [4, 4, 9], labels=np.array([4, 9, 9]), masked_predicted=np.array([4, 9, 9]))
    finding = find_data_set(records, {})
    first, second = finding.classes
    assert (first.label, first.num_images, first.accuracy, first.fidelity) == (4, 2, 0.5, 0.5)
    assert first.density == pytest.approx(0.375) and first.within == pytest.approx(0.5)
    assert second.label == 9 and np.isnan(second.within)
    assert finding.matrix[0, 1] == 0.0
