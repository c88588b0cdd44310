"""Class pathways put on pictures: which mask each picture gets, by a slow forward."""

import numpy as np
import pytest
from tiny_target import NUM_CHANNELS, numpy_forward, softmax, split_channels, tiny_params

from jaxpath.findings import ClassPathways, survey, transfer_pictures
from jaxpath.types import InputError


def pathways_of(masks, known) -> ClassPathways:
    masks, known = np.asarray(masks, bool), np.asarray(known, bool)
    frequencies = np.where(known[:, None], masks.astype(float), np.nan)
    return ClassPathways(frequencies, known.astype(int), 0.5, (), "by hand")


@pytest.fixture(scope="module")
def surveyed(session, method, pictures):
    return survey(session, method, pictures)


def test_each_picture_is_put_under_its_class_and_the_next_one(session, pictures, surveyed):
    classes = len(surveyed.logits[0])
    masks = np.random.default_rng(0).integers(0, 2, (classes, NUM_CHANNELS))
    transfer = transfer_pictures(session, pathways_of(masks, np.ones(classes)), pictures, surveyed)
    predicted = surveyed.records.predicted
    np.testing.assert_array_equal(transfer.labels, predicted[transfer.rows])
    assert len(transfer.rows) == len(predicted)
    for kind, which in {"class": predicted, "other": (predicted + 1) % classes}.items():
        for i, row in enumerate(which):
            logits, _ = numpy_forward(
                tiny_params(), pictures.images[i].astype(np.float64), split_channels(masks[row].astype(float))
            )
            expected = softmax(logits)[predicted[i]]
            assert transfer.under[kind].probability[i] == pytest.approx(expected, abs=1e-4)


def test_pictures_of_no_learned_class_are_one_sentence(session, pictures, surveyed):
    classes = len(surveyed.logits[0])
    nothing = pathways_of(np.zeros((classes, NUM_CHANNELS)), np.zeros(classes))
    with pytest.raises(InputError, match="none of the 11 pictures is of a class that has a pathway"):
        transfer_pictures(session, nothing, pictures, surveyed)
