"""The tiny target of the metrics' tests, with pictures for it."""

import numpy as np
import pytest
from tiny_target import by_activation, tiny_session, tiny_target

from jaxpath.findings import Pictures
from jaxpath.metrics import Method


@pytest.fixture(scope="session")
def session():
    target = tiny_target()
    # The tiny target takes pixels as they are: normalised as it says, they must be the same.
    same = target.preprocessing._replace(std=(1 / 255,) * 3)
    return tiny_session(target=target._replace(preprocessing=same), batch_size=4)


@pytest.fixture(scope="session")
def method():
    return Method("activation at density 0.5", by_activation, {})


@pytest.fixture(scope="session")
def pictures():
    """Eleven pictures of two classes, dark ones, so that probabilities are no zeros and ones."""
    rng = np.random.default_rng(3)
    images = (rng.integers(0, 2, (11, 1, 1, 3)) + rng.integers(0, 3, (11, 4, 4, 3))).astype(np.uint8)
    return Pictures(images, tuple(f"{i}.png" for i in range(11)), np.full(11, -1, np.int32))
