"""Class pathways on images of their class and of another one: by hand, and image by image in NumPy."""

import numpy as np
import pytest
import tiny_target as tiny
from test_references import references, slow_fill

from jaxpath import metrics
from jaxpath.fills import ABLATIONS
from jaxpath.metrics.class_transfer import draw_other_classes

COUNT, UNREADABLE = 21, (2, 10)


def data():
    images, labels = tiny.tiny_images(COUNT)
    return tiny.make_batches(images, labels, unreadable=UNREADABLE)


@pytest.fixture(scope="module")
def records():
    return metrics.explain_all(tiny.tiny_session(), tiny.method_of(tiny.by_activation), data())


def predicted_under(records, masks, owners, ablation):
    """One image at a time, in NumPy; each is given the pathway of the class of ``owners``."""
    images = tiny.tiny_images(COUNT)[0].astype(np.float64)[records.indices]
    params, given, predicted = tiny.tiny_params(), references(), []
    for image, mask, owner, index in zip(images, masks, owners, records.indices, strict=True):
        fills = slow_fill(ablation, given, owner, index)
        predicted.append(tiny.numpy_forward(params, image, tiny.split_channels(mask), fills)[0].argmax())
    return np.array(predicted)


@pytest.mark.parametrize("ablation", ABLATIONS)
@pytest.mark.parametrize("num_devices", [1, 8])
def test_figures_agree_with_one_image_at_a_time(records, num_devices, ablation):
    frequencies = metrics.source_frequencies(records, tiny.NUM_CLASSES)
    session = tiny.tiny_session(num_devices, fill=references().fill(ablation))
    result = metrics.class_transfer(session, frequencies, records, data(), seed=3)
    majority = frequencies >= 0.5
    own = predicted_under(records, majority[records.predicted], records.predicted, ablation)
    others = draw_other_classes(np.ones(3, bool), records.predicted, 3)
    other = predicted_under(records, majority[others], others, ablation)
    assert result["transfer_fidelity"] == pytest.approx(np.mean(own == records.predicted))
    assert result["transfer_fidelity_other_class"] == pytest.approx(np.mean(other == records.predicted))
    assert result["transfer_density"] == pytest.approx(majority[records.predicted].mean())
    assert result["transfer_images"] == COUNT - len(UNREADABLE)


def test_by_hand_an_open_pathway_carries_its_class_and_a_closed_one_predicts_the_first(records):
    """Class 0 keeps everything, the others nothing: then all logits are 0, and class 0 is predicted."""
    frequencies = np.zeros((3, tiny.NUM_CHANNELS))
    frequencies[0] = 1
    result = metrics.class_transfer(tiny.tiny_session(), frequencies, records, data())
    is_first = records.predicted == 0
    assert 0 < is_first.mean() < 1
    assert result["transfer_fidelity"] == pytest.approx(is_first.mean())
    others = draw_other_classes(np.ones(3, bool), records.predicted, 0)
    # The first class keeps itself under nothing; others keep theirs if they are put under the first's.
    expected = np.where(is_first, True, others == 0)
    assert result["transfer_fidelity_other_class"] == pytest.approx(expected.mean())


def test_classes_that_do_not_count_are_left_out(records):
    frequencies = np.ones((3, tiny.NUM_CHANNELS))
    result = metrics.class_transfer(
        tiny.tiny_session(), frequencies, records, data(), classes=np.array([True, False, True])
    )
    assert result["transfer_images"] == (records.predicted != 1).sum()
    assert result["transfer_fidelity"] == result["transfer_fidelity_other_class"] == 1


@pytest.mark.parametrize("known", [[True, False, False], [False] * 3])
def test_one_class_alone_has_no_other(records, known):
    frequencies = np.where(np.array(known)[:, None], np.ones((3, tiny.NUM_CHANNELS)), np.nan)
    result = metrics.class_transfer(tiny.tiny_session(), frequencies, records, data())
    assert result["transfer_images"] == 0
    assert np.isnan(result["transfer_fidelity"]) and np.isnan(result["transfer_fidelity_other_class"])


def test_other_classes_are_drawn_evenly_and_are_never_the_own():
    counted = np.array([True, True, False, True, True])
    predicted = np.repeat([0, 1, 3, 4], 3000)
    others = draw_other_classes(counted, predicted, seed=0)
    assert (others != predicted).all() and counted[others].all()
    for label in (0, 1, 3, 4):
        counts = np.bincount(others[predicted == label], minlength=5)
        assert np.abs(counts[counts > 0] / 1000 - 1).max() < 0.1 and (counts > 0).sum() == 3
