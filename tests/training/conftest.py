"""The tiny run of ``tiny.py`` as fixtures."""

import sys
from pathlib import Path

import jax
import pytest

sys.path.insert(0, str(Path(__file__).parent))


@pytest.fixture
def one_device():
    from jaxpath.training import make_mesh

    return make_mesh(jax.devices()[:1])


@pytest.fixture
def eight_devices():
    from jaxpath.training import make_mesh

    return make_mesh()
