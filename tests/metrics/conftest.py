"""The devices on which the metrics' tests run."""

import jax
import pytest

from jaxpath.training import make_mesh


@pytest.fixture
def one_device():
    return make_mesh(jax.devices()[:1])


@pytest.fixture
def eight_devices():
    return make_mesh()
