import jax
import numpy as np
import pytest
from tiny_target import NUM_CHANNELS, NUM_UNITS, numpy_forward, softmax, split_channels, tiny_params

from jaxpath.findings.controls import blank_images, complements, foreign_images, opened, shuffled
from jaxpath.findings.pairs import Pairs, predict_pairs, saliency_pairs


@pytest.fixture
def table():
    return np.random.default_rng(1).random((3, NUM_CHANNELS)) < 0.5


def test_every_pair_is_the_picture_under_the_mask_and_the_probability_of_the_class(session, pictures, table):
    pairs = Pairs(np.array([0, 5, 5, 10, 2]), np.array([2, 0, 1, 1, 2]), np.array([0, 1, 2, 0, 1]))
    outcome = predict_pairs(session, pictures.images, table, pairs)
    for k, (picture, mask, label) in enumerate(zip(*pairs, strict=True)):
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


def test_a_random_mask_opens_as_many_neurons_and_others(table):
    rng = np.random.default_rng(0)
    many = np.zeros((2, 800), bool)
    many[0, :40], many[1, :400] = True, True
    drawn = shuffled(many, rng)
    assert drawn.sum(axis=1).tolist() == [40, 400] and (drawn != many).any(axis=1).all()
    bits = np.packbits(many, axis=1)
    assert np.unpackbits(shuffled(bits, rng), axis=1).sum(axis=1).tolist() == [40, 400]


def test_pictures_of_nothing_hold_noise_grey_and_black_and_are_the_same_for_one_seed():
    blanks = blank_images((6, 5, 3), seed=2)
    assert blanks.shape == (4, 6, 5, 3) and blanks.dtype == np.uint8
    assert (blanks[2] == 128).all() and (blanks[3] == 0).all() and blanks[0].std() > 30
    np.testing.assert_array_equal(blanks, blank_images((6, 5, 3), seed=2))


def test_pictures_of_other_classes_are_never_of_the_same_class():
    reference = np.array([0, 1, 0, 2, 1, 1])
    first, second, third = foreign_images(np.array([1, 0, 7]), reference, seed=0, most=3)
    assert set(reference[first]) <= {0, 2} and len(first) == 3
    assert set(reference[second]) <= {1, 2} and len(second) == 3
    assert len(third) == 3 and len(set(third)) == 3
    (none,) = foreign_images(np.array([0]), np.zeros(4, int), seed=0)
    assert len(none) == 0
