import pytest

from jaxpath import targets
from jaxpath.metrics import fitting_batch_size


def test_the_batch_is_the_largest_power_of_two_that_fits():
    target = targets.resnet8(image_size=8, channels=1)
    # float32 [8, 8, 16] at three sites, [4, 4, 32] at two, [2, 2, 64] at two.
    image = 6 * 4 * (3 * 8 * 8 * 16 + 2 * 4 * 4 * 32 + 2 * 2 * 2 * 64)
    assert fitting_batch_size(target, budget=9 * image) == 8
    assert fitting_batch_size(target, budget=16 * image) == 16
    assert fitting_batch_size(target, budget=1) == 1


@pytest.mark.parametrize("largest", [32, 128])
def test_no_more_than_the_largest(largest):
    assert fitting_batch_size(targets.resnet8(), budget=2**40, largest=largest) == largest
