"""Every example in a docstring of jaxpath runs and says the truth."""

import doctest
import importlib
import pkgutil

import pytest

import jaxpath

MODULES = [module.name for module in pkgutil.walk_packages(jaxpath.__path__, "jaxpath.")]

NEEDS = {"jaxpath.runs.throughput.torch_step": "torch"}
"""Module -> a library that is no dependency of jaxpath."""


@pytest.mark.parametrize("name", MODULES)
def test_examples_of(name):
    if name in NEEDS:
        pytest.importorskip(NEEDS[name])
    failed, _ = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert failed == 0
