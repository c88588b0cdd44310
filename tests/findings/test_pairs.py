import jax
import numpy as np
import pytest
from tiny_target import (
    NUM_CHANNELS,
    NUM_UNITS,
    numpy_forward,
    softmax,
    split_channels,
    tiny_params,
    tiny_target,
)

from jaxpath.findings.controls import complements, foreign_images, opened, same_rows, shuffled
from jaxpath.findings.pairs import Pairs, predict_pairs, saliency_pairs


@pytest.fixture
def table():
    return np.random.default_rng(1).random((3, NUM_CHANNELS)) < 0.5


def test_every_pair_is_the_picture_under_the_mask_and_the_probability_of_the_class(session, pictures, table):
    pairs = Pairs(np.array([0, 5, 5, 10, 2]), np.array([2, 0, 1, 1, 2]), np.array([0, 1, 2, 0, 1]))
    outcome = predict_pairs(session, pictures.images, table, pairs)
    for k, (picture, mask, label) in enumerate(zip(*pairs[:3], strict=True)):
        image = pictures.images[picture].astype(np.float64)
        logits, _ = numpy_forward(tiny_params(), image, split_channels(table[mask].astype(float)))
        assert outcome.predicted[k] == logits.argmax()
        assert outcome.probability[k] == pytest.approx(softmax(logits)[label], abs=1e-4)


def test_saliency_under_open_gates_is_the_plain_gradient_and_under_closed_ones_0(session, pictures):
    table = np.concatenate([np.zeros((1, NUM_CHANNELS), bool), opened(np.zeros((1, NUM_CHANNELS), bool))])
    pairs = Pairs(np.array([4, 4]), np.array([0, 1]), np.array([1, 1]))
    closed, plain = saliency_pairs(session, pictures.images, table, pairs)
    assert not closed.any()

    def score(image):
        return session.target.apply(session.params, image[None]).logits[0, 1]

    gradient = np.asarray(jax.grad(score)(pictures.images[4].astype(np.float32)))
    strongest = np.abs(gradient).argmax(axis=-1)
    expected = np.take_along_axis(gradient, strongest[..., None], axis=-1)[..., 0]
    np.testing.assert_allclose(plain, expected, rtol=1e-3, atol=1e-5)


def test_a_complement_opens_exactly_what_was_closed(table):
    assert ((complements(table) + table.astype(int)) == 1).all()
    bits = np.packbits(np.random.default_rng(0).random((2, NUM_UNITS)) < 0.3, axis=1)
    both = [np.unpackbits(rows, axis=1, count=NUM_UNITS) for rows in (bits, complements(bits))]
    assert ((both[0] + both[1]) == 1).all()


def test_a_random_mask_opens_as_many_neurons_at_each_site_and_others():
    rng = np.random.default_rng(0)
    mask = rng.random((40, NUM_CHANNELS)) < 0.5
    drawn = shuffled(mask, tiny_target(), rng)
    assert (drawn != mask).any(axis=1).sum() > 30
    for before, after in zip(split_channels(mask.T), split_channels(drawn.T), strict=True):
        np.testing.assert_array_equal(before.sum(axis=0), after.sum(axis=0))
    units = rng.random((3, NUM_UNITS)) < 0.3
    bits = np.unpackbits(shuffled(np.packbits(units, axis=1), tiny_target(), rng), axis=1, count=NUM_UNITS)
    for part in (slice(0, 96), slice(96, 116), slice(116, 120)):  # 4 x 4 x 6, 2 x 2 x 5 and 4 units
        np.testing.assert_array_equal(bits[:, part].sum(axis=1), units[:, part].sum(axis=1))


def test_pictures_of_other_classes_are_never_of_the_same_class():
    predicted = np.array([0, 1, 0, 2, 1, 1])
    first, second, third = (
        foreign_images(label, predicted, np.random.default_rng(0), most=3) for label in (1, 0, 7)
    )
    assert set(predicted[first]) <= {0, 2} and len(first) == 3
    assert set(predicted[second]) <= {1, 2} and len(second) == 3
    assert len(third) == 3 and len(set(third)) == 3
    assert len(foreign_images(0, np.zeros(4, int), np.random.default_rng(0))) == 0


def test_the_same_picture_is_found_by_its_pixels():
    images = np.arange(12, dtype=np.uint8).reshape(3, 2, 2, 1)
    found = same_rows(images[1:], images[[2, 0, 2]])
    assert [rows.tolist() for rows in found] == [[], [0, 2]]
