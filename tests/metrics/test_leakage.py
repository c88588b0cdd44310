import numpy as np
import pytest

from jaxpath.metrics import foreign_partners
from jaxpath.types import InputError


def test_partners_always_show_another_class():
    rng = np.random.default_rng(0)
    for num_classes in (2, 3, 10):
        classes = np.concatenate([np.arange(num_classes), rng.integers(0, num_classes, 50)])
        partners = foreign_partners(classes, seed=1)
        assert (classes[partners] != classes).all()


def test_every_foreign_image_is_drawn_equally_often():
    classes = np.array([2, 0, 1, 2, 2])
    counts = np.zeros((5, 5))
    for seed in range(3000):
        counts[np.arange(5), foreign_partners(classes, seed=seed)] += 1
    allowed = classes[:, None] != classes[None, :]
    assert (counts[~allowed] == 0).all()
    expected = 3000 / allowed.sum(axis=1, keepdims=True)
    # Five standard deviations of a binomial count.
    spread = 5 * np.sqrt(expected)
    assert (np.abs(counts - expected) < spread)[allowed].all()


def test_a_seed_repeats_the_draw():
    classes = np.arange(40) % 4
    np.testing.assert_array_equal(foreign_partners(classes, seed=3), foreign_partners(classes, seed=3))
    assert (foreign_partners(classes, seed=3) != foreign_partners(classes, seed=4)).any()


def test_one_class_only_is_refused():
    with pytest.raises(InputError, match="two classes"):
        foreign_partners(np.array([7, 7, 7]), seed=0)
