"""Every example in a docstring of jaxpath runs and says the truth."""

import doctest
import importlib
import pkgutil

import pytest

import jaxpath

MODULES = [module.name for module in pkgutil.walk_packages(jaxpath.__path__, "jaxpath.")]


@pytest.mark.parametrize("name", MODULES)
def test_examples_of(name):
    failed, _ = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert failed == 0
